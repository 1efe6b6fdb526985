package main

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1beta1 "k8s.io/api/policy/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	core "k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	"k8s.io/kubernetes/pkg/capabilities"
)

func init() {
	// As kube-apiserver runs everywhere (--allow-privileged): policies decide who is privileged.
	capabilities.Initialize(capabilities.Capabilities{AllowPrivileged: true})
}

// decode reads an object as the API server does: what it does not know is dropped, and what is absent gets its default.
func decode[T runtime.Object](raw json.RawMessage) (T, error) {
	var none T
	object, _, err := legacyscheme.Codecs.UniversalDeserializer().Decode(raw, nil, nil)
	if err != nil {
		return none, err
	}
	typed, ok := object.(T)
	if !ok {
		return none, fmt.Errorf("%T in place of %T", object, none)
	}
	legacyscheme.Scheme.Default(typed)
	return typed, nil
}

// decodePolicy reads a policy, and says what the API server would not have stored in it.
func decodePolicy(raw json.RawMessage) (*policyv1beta1.PodSecurityPolicy, []string, error) {
	external, err := decode[*policyv1beta1.PodSecurityPolicy](raw)
	if err != nil {
		return nil, nil, fmt.Errorf("the policy: %w", err)
	}
	var internal policy.PodSecurityPolicy
	if err := legacyscheme.Scheme.Convert(external, &internal, nil); err != nil {
		return nil, nil, fmt.Errorf("the policy: %w", err)
	}
	return external, texts(policyvalidation.ValidatePodSecurityPolicy(&internal)), nil
}

// decodePod reads a pod into the form that plugins of the API server see.
func decodePod(raw json.RawMessage) (*core.Pod, error) {
	external, err := decode[*corev1.Pod](raw)
	if err != nil {
		return nil, fmt.Errorf("the pod: %w", err)
	}
	var internal core.Pod
	if err := legacyscheme.Scheme.Convert(external, &internal, nil); err != nil {
		return nil, fmt.Errorf("the pod: %w", err)
	}
	return &internal, nil
}

// admitted is the answer about a pod that has been admitted, as it is now.
func admitted(pod *core.Pod) (answer, error) {
	var external corev1.Pod
	if err := legacyscheme.Scheme.Convert(pod, &external, nil); err != nil {
		return answer{}, fmt.Errorf("the mutated pod: %w", err)
	}
	external.APIVersion, external.Kind = "v1", "Pod"
	external.CreationTimestamp = metav1.Time{}
	mutated, err := json.Marshal(&external)
	if err != nil {
		return answer{}, err
	}
	return answer{Allowed: true, Mutated: mutated, Invalid: invalid(pod)}, nil
}

// invalid says why the API server would not store a pod.
func invalid(pod *core.Pod) []string {
	options := podutil.GetValidationOptionsFromPodSpecAndMeta(&pod.Spec, nil, &pod.ObjectMeta, nil)
	var kept field.ErrorList
	for _, fault := range corevalidation.ValidatePodCreate(pod, options) {
		// They come by an update of their own, of which the plugin never hears before the next ordinary one.
		if fault.Type != field.ErrorTypeForbidden || fault.Field != "spec.ephemeralContainers" {
			kept = append(kept, fault)
		}
	}
	return texts(kept)
}

// texts are errors as fields and details: their values may be whole pods.
func texts(faults field.ErrorList) []string {
	var texts []string
	for _, fault := range faults {
		texts = append(texts, fault.Field+": "+fault.Detail)
	}
	return texts
}
