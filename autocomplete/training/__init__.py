"""The only room that imports torch. It knows nothing of screens: it yields events, and `terminal` draws them."""
