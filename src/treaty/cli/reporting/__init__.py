"""`treaty report`: decisions, their causes and changed pacts in pull requests of GitHub, GitLab and Bitbucket.

`gathering` asks the broker, `markdown` renders the comment, and the modules named after services send it.
"""
