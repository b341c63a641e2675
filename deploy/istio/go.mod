// Where Istio's CustomResourceDefinitions come from: this module is only downloaded, never built.
module istio

go 1.24.0

require istio.io/api v1.31.4
