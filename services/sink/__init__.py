"""The sink: makes Kubernetes what the roll call says, and tells each session what became of it.

``core`` decides (pure), ``ports`` says what is needed of Kubernetes, ``kube`` provides it, the rest carries values.
"""
