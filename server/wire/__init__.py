"""What stands in the bodies of requests and answers, as types: the API and the client share them.

It may import the domain only, and costs whoever imports it next to nothing.
"""
