"""The Lab: the quantum engine in the product. Who ran what, how it goes, what came of it.

| module | what it holds |
|---|---|
| `runs` | verbs on runs: submit, cancel, resume, start, finish |
| `chores` | verbs on backends and the registry |
| `work` | a run in the hands of a worker |
| `tasks` | the Celery tasks |
| `engine`, `trainings` | the hallway to `quantum`; no Django in it |
| `training` | what a training can be told; imports no torch |
| `folder` | where the engine's files lie, and what the pages may read of them |
| `curves` | numbers as they come, thinned for a figure |
| `forms`, `pages` | what people type, and what they see |

The web process imports everything here but the hallway, which brings torch with it.
"""
