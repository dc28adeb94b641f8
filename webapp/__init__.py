"""The web: who asked, what is happening, where the result is. One Django project and its one app.

Times are aware datetimes; `seconds`, `bytes` and `percent` (0-100) stand in names that carry them.
"""
