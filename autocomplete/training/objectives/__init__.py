"""What a training learns from and is measured by."""
