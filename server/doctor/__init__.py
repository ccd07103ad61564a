"""What is said of an installation as a whole: `doctor` examines it, `support-bundle` packs up what helps to
understand it. Reads only, works whether a server runs or not, and may import everything but the command line.
"""
