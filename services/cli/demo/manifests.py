"""What the tour applies with kubectl: the groups, and who may join them."""

GROUPS = """\
apiVersion: v1
kind: Namespace
metadata: {name: bookinfo}
---
apiVersion: v1
kind: Namespace
metadata: {name: payments}
---
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: ratings, namespace: bookinfo, labels: {team: books}}
spec:
  metadata: {labels: {app: ratings}}
  template: {serviceAccount: ratings, network: vm-network, ports: {http: 9080}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: ledger, namespace: payments}
spec:
  metadata: {labels: {app: ledger}}
  template: {serviceAccount: ledger, network: vm-network, ports: {grpc: 7070}}
"""
POLICIES = """\
apiVersion: authorization.onboarding.tetrate.io/v1alpha1
kind: OnboardingPolicy
metadata: {name: our-machines, namespace: bookinfo}
spec:
  allow:
  - workloads: [{aws: {accounts: ["123456789012"], regions: [us-east-2], ec2: {}}}]
    onboardTo: [{workloadGroupSelector: {matchLabels: {team: books}}}]
---
apiVersion: authorization.onboarding.tetrate.io/v1alpha1
kind: OnboardingPolicy
metadata: {name: our-machines, namespace: payments}
spec:
  allow:
  - workloads: [{aws: {accounts: ["123456789012"], ec2: {}}}]
    onboardTo: [{workloadGroupSelector: {}}]
"""
