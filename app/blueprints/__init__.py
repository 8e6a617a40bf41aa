"""The routes: HTTP only, a few lines each."""
