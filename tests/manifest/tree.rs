//! Random trees of kustomizations: overlays on a base, components, generators, patches of both kinds,
//! replacements; some with the mistakes that people make.

use std::collections::BTreeMap;

/// A tree of files, and the folder to build.
pub(crate) struct RandomTree {
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) top: String,
}

impl RandomTree {
    /// The same tree for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut maker = Maker { random: Random(seed), files: BTreeMap::new() };
        let names = maker.names();
        maker.base(&names);
        let mut top = "base".to_owned();
        for level in 1..=maker.random.below(3) {
            let folder = format!("over{level}");
            maker.overlay(&folder, &top, &names);
            top = folder;
        }
        RandomTree { files: maker.files, top }
    }
}

/// Numbers that follow from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    /// True this often in a hundred.
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).expect("a short list")]
    }

    /// One of them this often in a hundred, else nothing.
    fn maybe<'a>(&mut self, percent: u64, of: &[&'a str]) -> &'a str {
        if self.chance(percent) { self.one(of) } else { "" }
    }
}

struct Maker {
    random: Random,
    files: BTreeMap<String, String>,
}

/// The names and kinds of the workloads of a tree.
type Names = Vec<(&'static str, &'static str)>;

const CONTAINERS: &[&str] = &[
    "{name: app, image: nginx}",
    "{name: app, image: 'nginx:1.27', args: [-a, -b], ports: [{containerPort: 80}, {containerPort: 53, protocol: UDP}]}",
    "{name: app, image: 'reg:5000/x/y:1', env: [{name: A, value: '1'}, {name: B, value: on}], envFrom: [{configMapRef: {name: settings}}]}",
    "{name: app, image: 'redis@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', env: [{name: P, valueFrom: {secretKeyRef: {name: creds, key: p}}}]}",
    "{name: app, image: nginx, volumeMounts: [{name: v, mountPath: /v}]}, {name: side, image: 'redis:7', command: [sh, -c, 'echo $(A)']}",
];

const VOLUMES: &[&str] = &[
    "volumes: [{name: v, configMap: {name: settings, defaultMode: 0644}}]",
    "volumes: [{name: v, emptyDir: {}}, {name: s, secret: {secretName: creds, defaultMode: 256}}]",
    "volumes: [{name: v, projected: {sources: [{configMap: {name: settings}}, {secret: {name: creds}}]}}]",
    "serviceAccountName: runner, nodeSelector: {disk: 'yes'}",
    "initContainers: [{name: init, image: 'nginx:1.27'}], terminationGracePeriodSeconds: 5",
];

const METADATA: &[&str] = &[
    ", labels: {own: 'true'}",
    ", annotations: {note: 'a: b', since: '2020-01-01'}",
    ", namespace: old",
    ", namespace: default, labels: {app: other}",
    ", labels: {}, annotations: {}",
    ", creationTimestamp: null",
];

/// Objects that stand beside the workloads; `NAME` is a workload's.
const OTHERS: &[&str] = &[
    "{apiVersion: v1, kind: ServiceAccount, metadata: {name: runner}}",
    "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: rb}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}, subjects: [{kind: ServiceAccount, name: runner, namespace: default}]}",
    "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: crb}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [{kind: ServiceAccount, name: runner, namespace: old}, {kind: User, name: ada}]}",
    "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: NAME}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: NAME}, minReplicas: 1, maxReplicas: 5}}",
    "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: NAME}, spec: {tls: [{secretName: creds}], rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: NAME, port: {number: 80}}}}]}}]}}",
    "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: np}, spec: {podSelector: {matchLabels: {app: NAME}}, ingress: [{from: [{podSelector: {matchLabels: {app: NAME}}}]}]}}",
    "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: NAME}, spec: {minAvailable: 50%, selector: {matchLabels: {app: NAME}}}}",
    "{apiVersion: v1, kind: Namespace, metadata: {name: old}}",
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: plain, annotations: {a: x}}, data: {host: NAME.old, text: \"a\\nb\\n\", mode: '0644', long: 'a b c'}}",
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {LEVEL: base}}",
    "{apiVersion: v1, kind: Secret, metadata: {name: creds}, type: Opaque, stringData: {p: 'yes'}}",
    "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: disk}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}",
    "{apiVersion: batch/v1, kind: CronJob, metadata: {name: NAME}, spec: {schedule: '0 * * * *', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: app, image: nginx}]}}}}}}",
    "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgets.example.com}, spec: {group: example.com, names: {kind: Widget, plural: widgets}, scope: Namespaced, versions: []}}",
    "{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}, spec: {list: [{id: 1}, {id: 2}], text: '0644', flag: yes, none: null, size: 1e3, ref: NAME}}",
    "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: listed}}]}",
];

/// Patches of the first workload; `NAME` is its name, `KIND` its kind.
const MERGES: &[&str] = &[
    "{spec: {template: {spec: {containers: [{name: app, env: [{name: A, value: patched}, {name: Z, value: new}]}]}}}}",
    "{spec: {template: {spec: {containers: [{name: app, image: 'nginx:2', args: null}, {name: extra, image: busybox}]}}}}",
    "{spec: {replicas: 7, template: {metadata: {annotations: {on: 'off'}}}}}",
    "{spec: {replicas: null, template: {spec: {nodeSelector: null, volumes: [{name: v, $patch: delete}]}}}}",
    "{spec: {template: {spec: {containers: [{name: side, $patch: delete}]}}}}",
    "{spec: {template: {spec: {containers: [{$patch: replace}, {name: only, image: one}]}}}}",
    "{spec: {template: {spec: {$patch: replace, containers: [{name: app, image: nginx}]}}}}",
    "{spec: {template: {spec: {containers: [{name: app, ports: [{containerPort: 80, name: web}, {containerPort: 53, protocol: TCP}]}]}}}}",
    "{spec: {template: {spec: {tolerations: [{key: a, operator: Exists}], imagePullSecrets: [{name: creds}]}}}}",
    "{spec: {template: {spec: {volumes: [{name: v, emptyDir: null, hostPath: {path: /x}}]}}}}",
    "{$patch: delete}",
];

const OPERATIONS: &[&str] = &[
    "{op: add, path: /spec/replicas, value: 7}",
    "{op: replace, path: /spec/replicas, value: 5}",
    "{op: remove, path: /spec/template/spec/containers/0/env/0}",
    "{op: add, path: /spec/template/spec/containers/-, value: {name: last, image: busybox}}",
    "{op: add, path: /metadata/annotations/a~1b, value: 'yes'}",
    "{op: add, path: /metadata/labels, value: {fresh: 'true'}}",
    "{op: test, path: /apiVersion, value: apps/v1}",
    "{op: copy, from: /metadata/name, path: /metadata/generateName}",
    "{op: move, from: /spec/replicas, path: /spec/was}",
    "{op: remove, path: /spec/nothing}",
];

const REPLACEMENTS: &[&str] = &[
    "{source: {kind: Service, name: NAME}, targets: [{select: {kind: Deployment}, fieldPaths: [spec.template.metadata.annotations.served-by], options: {create: true}}]}",
    "{source: {kind: Service, name: NAME, fieldPath: 'spec.ports.0.port'}, targets: [{select: {kind: Deployment, name: NAME}, fieldPaths: ['spec.template.spec.containers.[name=app].ports.0.containerPort']}]}",
    "{source: {kind: ConfigMap, name: plain, fieldPath: data.host, options: {delimiter: ., index: 0}}, targets: [{select: {kind: Widget}, fieldPaths: [spec.ref, spec.text]}]}",
    "{source: {kind: Deployment, name: NAME, fieldPath: spec.replicas}, targets: [{select: {kind: ConfigMap, name: plain}, fieldPaths: [data.mode], options: {delimiter: '6', index: 1}}]}",
    "{source: {kind: ConfigMap, name: settings}, targets: [{select: {kind: Widget}, fieldPaths: ['spec.list.*.id']}]}",
    "{source: {kind: Service, fieldPath: metadata.name}, targets: [{select: {kind: Deployment}, reject: [{name: NAME}], fieldPaths: [metadata.annotations.peer], options: {create: true}}]}",
];

/// Fields that a layer may have, once each.
const SETTINGS: &[(u64, &[&str])] = &[
    (35, &["namespace: shop", "namespace: prod", "namespace: old"]),
    (25, &["namePrefix: a-", "namePrefix: prod-"]),
    (25, &["nameSuffix: -x", "nameSuffix: -v2"]),
    (20, &["commonAnnotations: {team: web}", "commonAnnotations: {since: '2020', note: 'a: b'}"]),
    (
        25,
        &[
            "labels: [{pairs: {env: dev}}]",
            "labels: [{pairs: {env: prod}, includeSelectors: true}]",
            "labels: [{pairs: {env: prod}, includeTemplates: true}, {pairs: {zone: 'on'}}]",
            "labels: [{pairs: {env: x}, fields: [{path: spec/labels, create: true, kind: Widget}]}]",
        ],
    ),
    (12, &["commonLabels: {tier: front}", "commonLabels: {app: all}"]),
    (
        30,
        &[
            "images: [{name: nginx, newTag: '9'}]",
            "images: [{name: redis, newName: valkey, newTag: '8'}, {name: nginx, newName: my/nginx}]",
            "images: [{name: reg:5000/x/y, digest: sha256:bbbb}]",
            "images: [{name: nginx, newTag: v1, tagSuffix: -alpine}]",
        ],
    ),
    (20, &["replicas: [{name: NAME, count: 4}]", "replicas: [{name: NAME, count: 0}]"]),
    (
        10,
        &[
            "sortOptions: {order: fifo}",
            "sortOptions: {order: legacy}",
            "sortOptions: {order: legacy, legacySortOptions: {orderFirst: [Service], orderLast: [Namespace]}}",
        ],
    ),
    (
        10,
        &[
            "generatorOptions: {disableNameSuffixHash: true}",
            "generatorOptions: {labels: {gen: 'yes'}, annotations: {gen: '1'}}",
            "generatorOptions: {immutable: true}",
        ],
    ),
    (5, &["vars: [{name: WHO, objref: {apiVersion: v1, kind: Service, name: NAME}}]"]),
];

const GENERATORS: &[&str] = &[
    "configMapGenerator: [{name: made, literals: [LEVEL=debug, 'B=two words', Q=\"q\"]}]",
    "configMapGenerator: [{name: made, files: [conf.ini, renamed=conf.ini], envs: [vars.env]}]",
    "configMapGenerator: [{name: made, literals: [a=1], options: {labels: {own: l}, disableNameSuffixHash: true}}, {name: empty}]",
    "secretGenerator: [{name: made, literals: [p=w], type: example.com/own}]",
    "secretGenerator: [{name: made, files: [bin.dat], envs: [vars.env], namespace: old}]",
];

/// Generators of overlays, which may change what the base has.
const BEHAVIOURS: &[&str] = &[
    "configMapGenerator: [{name: settings, behavior: merge, literals: [LEVEL=over, N=1]}]",
    "configMapGenerator: [{name: settings, behavior: replace, literals: [ONLY=this]}]",
    "secretGenerator: [{name: creds, behavior: merge, literals: [p=other]}]",
    "configMapGenerator: [{name: settings, literals: [CLASH=1]}]",
];

const MISTAKES: &[&str] = &[
    "resource: [a.yaml]",
    "patches: [{path: missing.yaml}]",
    "images: {name: nginx}",
    "namespace: [a]",
    "configMapGenerator: [{name: made, literals: [novalue]}]",
    "components: [../missing]",
    "replacements: [{source: {kind: Nothing}, targets: []}]",
    "patches: [{patch: 'not: [valid'}]",
    "namePrefix: a-\nnamePrefix: b-",
    "commonLabels: {a: 1}",
];

impl Maker {
    fn names(&mut self) -> Names {
        let kinds = ["Deployment", "Deployment", "Deployment", "StatefulSet", "DaemonSet"];
        let names = ["web", "api", "web db"];
        let names = self.random.one(&names).split(' ');
        names.map(|name| (name, self.random.one(&kinds))).collect()
    }

    fn write(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.files.insert(path.into(), text.into());
    }

    fn base(&mut self, names: &Names) {
        let mut resources = Vec::new();
        for (name, kind) in names {
            let mut documents = vec![self.workload(name, kind), self.service(name)];
            if *name == names[0].0 {
                documents.extend(self.others(name));
            }
            self.write(format!("base/{name}.yaml"), documents.join("\n---\n"));
            resources.push(format!("{name}.yaml"));
        }
        self.layer("base", &resources, names, GENERATORS);
    }

    fn workload(&mut self, name: &str, kind: &str) -> String {
        let random = &mut self.random;
        let metadata = random.maybe(40, METADATA);
        let replicas = random.maybe(60, &["replicas: 2, ", "replicas: 1, "]);
        let labels = random.one(&["{app: NAME}", "{app: NAME, v: '1'}"]).replace("NAME", name);
        let containers = random.one(CONTAINERS);
        let rest = random.maybe(50, VOLUMES);
        let comma = if rest.is_empty() { "" } else { ", " };
        format!(
            "# the workload\napiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}{metadata}}}\n\
             spec: {{{replicas}selector: {{matchLabels: {{app: {name}}}}}, template: {{metadata: {{labels: \
             {labels}}}, spec: {{containers: [{containers}]{comma}{rest}}}}}}}\n"
        )
    }

    fn service(&mut self, name: &str) -> String {
        let metadata = self.random.maybe(20, METADATA);
        let port = self.random.one(&["80", "80, targetPort: web", "'80'"]);
        format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  {{name: {name}{metadata}}}\nspec:\n  selector:\n    \
             app: {name}\n  ports:\n  - {{port: {port}}}\n"
        )
    }

    fn others(&mut self, name: &str) -> Vec<String> {
        let often = |object: &str| if object.contains("name: plain") { 90 } else { 30 };
        let chosen: Vec<&str> =
            OTHERS.iter().filter(|object| self.random.chance(often(object))).copied().collect();
        chosen.iter().map(|object| object.replace("NAME", name)).collect()
    }

    fn overlay(&mut self, folder: &str, below: &str, names: &Names) {
        let mut resources = vec![format!("../{below}")];
        if self.random.chance(15) {
            let object = self.random.one(OTHERS).replace("NAME", names[0].0);
            self.write(format!("{folder}/more.yaml"), object);
            resources.push("more.yaml".into());
        }
        self.layer(folder, &resources, names, BEHAVIOURS);
    }

    /// One kustomization, with what its fields refer to.
    fn layer(&mut self, folder: &str, resources: &[String], names: &Names, generators: &[&str]) {
        self.write(format!("{folder}/conf.ini"), "a=1\nb = 2\n");
        self.write(format!("{folder}/vars.env"), "# a comment\nONE=1\n\nTWO=2 words\n");
        self.write(format!("{folder}/bin.dat"), "no newline\tat the end");
        let mut fields = vec![format!("resources: [{}]", resources.join(", "))];
        if self.random.chance(15) {
            let component = format!("{folder}-part");
            self.component(&component, names);
            fields.push(format!("components: [../{component}]"));
        }
        fields.extend(self.settings(folder, names));
        let generator = self.random.maybe(if folder == "base" { 40 } else { 12 }, generators);
        fields.push(generator.to_owned());
        if self.random.chance(6) {
            fields.push(self.random.one(MISTAKES).to_owned());
        }
        self.write(format!("{folder}/kustomization.yaml"), fields.join("\n") + "\n");
    }

    fn component(&mut self, folder: &str, names: &Names) {
        let head = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component".to_owned();
        let mut fields = vec![head];
        fields.extend(self.settings(folder, names));
        self.write(format!("{folder}/kustomization.yaml"), fields.join("\n") + "\n");
    }

    fn settings(&mut self, folder: &str, names: &Names) -> Vec<String> {
        let (name, kind) = names[self.random.below(names.len() as u64) as usize];
        let mut fields = Vec::new();
        for (percent, choices) in SETTINGS {
            fields.push(self.random.maybe(*percent, choices).replace("NAME", name));
        }
        if self.random.chance(50) {
            let patches: Vec<String> =
                (0..=self.random.below(2)).map(|at| self.patch(folder, at, (name, kind))).collect();
            fields.push(format!("patches:\n{}", patches.concat()));
        }
        if self.random.chance(20) {
            let replacement = self.random.one(REPLACEMENTS).replace("NAME", name);
            fields.push(format!("replacements: [{replacement}]"));
        }
        fields.retain(|field| !field.is_empty());
        fields
    }

    /// A patch, in place or in a file, with a target or with its own.
    fn patch(&mut self, folder: &str, at: u64, (name, kind): (&str, &str)) -> String {
        let operations = self.random.chance(40);
        let target = self.random.one(&[
            "{kind: Deployment}",
            "{kind: Deployment, name: NAME}",
            "{name: NAME}",
            "{kind: Deployment|StatefulSet, name: '.*'}",
            "{labelSelector: own=true}",
            "{annotationSelector: note}",
            "{group: apps, version: v1}",
            "{kind: Widget}",
        ]);
        let body = match operations {
            true => format!("- {}", self.random.one(OPERATIONS)),
            false => self.merge(name, kind),
        };
        let targeted = operations || self.random.chance(40);
        let target = target.replace("NAME", name);
        let target = if targeted { format!("  target: {target}\n") } else { String::new() };
        if self.random.chance(25) {
            self.write(format!("{folder}/patch{at}.yaml"), body);
            return format!("- path: patch{at}.yaml\n{target}");
        }
        format!("- patch: |-\n    {body}\n{target}")
    }

    fn merge(&mut self, name: &str, kind: &str) -> String {
        let kind = if self.random.chance(92) { kind } else { "Deployment" };
        let change = self.random.one(MERGES);
        let head = format!("{{apiVersion: apps/v1, kind: {kind}, metadata: {{name: {name}}}, ");
        head + &change[1..]
    }
}
