"""The build entry point; everything it needs is declared in setup.cfg."""

from setuptools import setup

setup()
