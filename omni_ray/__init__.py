"""omni_ray: public corpora in, training-ready data out, with every record accounted for."""

__version__ = "0.1.0"
