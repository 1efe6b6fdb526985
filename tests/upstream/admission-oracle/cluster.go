// What upstream asks its API server for, answered from a line of the input.

package main

import (
	"context"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// namespaces stand in for the API server: the labels of each, by its name.
type namespaces map[string]map[string]string

func (n namespaces) GetNamespace(_ context.Context, name string) (*corev1.Namespace, error) {
	labels, ok := n[name]
	if !ok {
		return nil, apierrors.NewNotFound(corev1.Resource("namespaces"), name)
	}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, nil
}

// pods stand in for the API server: those of each namespace, in the order in which it lists them.
type pods map[string]listed

// listed is the answer to a list: upstream's clock starts before it asks, so all is read before it is asked.
type listed struct {
	pods []*corev1.Pod
	err  error
}

func (p pods) ListPods(_ context.Context, namespace string) ([]*corev1.Pod, error) {
	list := p[namespace]
	// Upstream reorders the list in place, and asks once for each review.
	return list.pods, list.err
}

func (o *oracle) pods(given map[string][]json.RawMessage) pods {
	all := make(pods, len(given))
	for namespace, items := range given {
		all[namespace] = o.list(items)
	}
	return all
}

func (o *oracle) list(items []json.RawMessage) listed {
	kind := corev1.SchemeGroupVersion.WithKind("Pod")
	var list listed
	for _, item := range items {
		pod := &corev1.Pod{}
		if _, _, err := o.decoder.Decode(item, &kind, pod); err != nil {
			return listed{err: err}
		}
		list.pods = append(list.pods, pod)
	}
	return list
}
