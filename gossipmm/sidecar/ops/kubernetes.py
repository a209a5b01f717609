"""Manifests for Kubernetes: a headless service as the seed, and the agent beside a program.

The service also publishes addresses that are not ready: a pod is ready once it has joined, and it
joins by these addresses. The agent resolves the name again for as long as it is alone.
"""

from __future__ import annotations

__all__ = ("MANIFESTS", "manifests")

#: ``{namespace}`` and ``{image}`` are filled in.
MANIFESTS = """\
# Written by "gossipmm kubernetes". The gossip key comes from a secret:
#   gossipmm keygen keyring.json
#   kubectl -n {namespace} create secret generic gossipmm --from-file=keyring.json
apiVersion: v1
kind: Service
metadata:
  name: gossipmm
  namespace: {namespace}
spec:
  clusterIP: None                   # headless: the name is the addresses of all pods
  publishNotReadyAddresses: true    # a pod is ready once it joined, by this very name
  selector: {{gossipmm: member}}
  ports:
    - {{name: gossip, port: 7946, protocol: UDP}}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: gossipmm
  namespace: {namespace}
data:
  gossipmm.toml: |
    # A pod is listed while its worker answers (gossipmm services shows what the check found).
    [[service]]
    topic = "worker"
    port = 8000
    [[service.check]]
    tcp = "127.0.0.1:8000"
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: worker
  namespace: {namespace}
spec:
  replicas: 3
  selector:
    matchLabels: {{app: worker}}
  template:
    metadata:
      labels: {{app: worker, gossipmm: member}}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "7981"
    spec:
      enableServiceLinks: false
      terminationGracePeriodSeconds: 10    # SIGTERM leaves the cluster within 2 s
      securityContext:
        runAsNonRoot: true
        runAsUser: 1000
        runAsGroup: 1000
        fsGroup: 1000
        seccompProfile: {{type: RuntimeDefault}}
      containers:
        - name: gossipmm
          image: {image}
          command: [gossipmm, agent, --no-ask, --config, /etc/gossipmm/gossipmm.toml]
          env:
            - name: GOSSIPMM_NAME
              valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}
            - name: POD_IP
              valueFrom: {{fieldRef: {{fieldPath: status.podIP}}}}
            - {{name: GOSSIPMM_BIND, value: "$(POD_IP):7946"}}
            - {{name: GOSSIPMM_JOIN, value: "gossipmm.{namespace}.svc:7946"}}
            # The secret is read-only: a rotation is written to the pod's own copy. Put that file
            # (kubectl exec ... cat /keys/keyring.json) into the secret for pods to come.
            - {{name: GOSSIPMM_KEYRING, value: /keys/keyring.json}}
            - {{name: GOSSIPMM_KEYRING_SEED, value: /secret/keyring.json}}
            - {{name: GOSSIPMM_CONTROL, value: /run/gossipmm/agent.sock}}
            - {{name: GOSSIPMM_HEALTH_BIND, value: "$(POD_IP):7981"}}
          ports:
            - {{name: gossip, containerPort: 7946, protocol: UDP}}
            - {{name: health, containerPort: 7981}}
          livenessProbe:
            httpGet: {{path: /livez, port: health}}
            periodSeconds: 10
          readinessProbe:
            httpGet: {{path: /readyz, port: health}}
            periodSeconds: 2
          volumeMounts:
            - {{name: config, mountPath: /etc/gossipmm, readOnly: true}}
            - {{name: secret, mountPath: /secret, readOnly: true}}
            - {{name: keys, mountPath: /keys}}
            - {{name: control, mountPath: /run/gossipmm}}
          securityContext:
            readOnlyRootFilesystem: true
            allowPrivilegeEscalation: false
            capabilities: {{drop: [ALL]}}
          resources:
            requests: {{cpu: 10m, memory: 48Mi}}
            limits: {{memory: 192Mi}}
        # Your program: it asks http://localhost over the socket in /run/gossipmm.
        - name: worker
          image: {image}
          command: [python3, -m, http.server, "8000", --bind, 127.0.0.1, --directory, /mnt]
          env:
            - {{name: GOSSIPMM_CONTROL, value: /run/gossipmm/agent.sock}}
          volumeMounts:
            - {{name: control, mountPath: /run/gossipmm}}
      volumes:
        - {{name: config, configMap: {{name: gossipmm}}}}
        - {{name: secret, secret: {{secretName: gossipmm, defaultMode: 0440}}}}
        - {{name: keys, emptyDir: {{medium: Memory}}}}
        - {{name: control, emptyDir: {{medium: Memory}}}}
"""


def manifests(namespace: str, image: str) -> str:
    """Return the manifests, as YAML."""
    return MANIFESTS.format(namespace=namespace, image=image)
