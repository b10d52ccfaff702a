"""Privacy requests through Adobe's Privacy Service: submitted exactly once, archived whole and proven."""

__version__ = "0.1.0"
