"""affekt's ready model: the folder `model` beside this file, which `affekt.load()` opens."""
