"""What runs inside a lab; it needs nothing but the standard library, so that a bare guest can run it too."""
