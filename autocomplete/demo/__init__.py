"""Next-spelling prediction made visible: a scene a module, and a stage that plays them."""
