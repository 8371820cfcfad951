"""What runs the product elsewhere than on a developer's machine; healthy.py is part of the image."""
