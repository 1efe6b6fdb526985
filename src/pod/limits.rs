//! How many items of a pod are kept. More are refused.

/// Most containers of one kind that are read. Kubernetes has no limit; etcd's object size has.
pub(super) const MAX_CONTAINERS: usize = 500;

/// Most items of any other list: volumes, labels, sysctls, capabilities, host ports, annotations that a control reads. Linux
/// has 41 capabilities and fewer sysctls that a pod may set; a node has some hundred volumes, and a pod with a thousand of
/// its ports would fill it.
pub(super) const MAX_ITEMS: usize = 1000;
