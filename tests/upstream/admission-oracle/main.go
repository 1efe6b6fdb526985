// The admission oracle answers AdmissionReviews as upstream's Pod Security webhook does, in a cluster that a file
// describes: a review a line in, the response a line out, in order.
//
//	admission-oracle CONFIGURATION OBJECTS
//
// CONFIGURATION is a PodSecurityConfiguration, and OBJECTS a List in JSON of the Namespaces and Pods that are there.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
	"k8s.io/pod-security-admission/admission"
	"k8s.io/pod-security-admission/admission/api/load"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/metrics"
	"k8s.io/pod-security-admission/policy"
)

func main() {
	// Upstream logs every refusal.
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "admission-oracle:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 3 {
		return errors.New("usage: admission-oracle CONFIGURATION OBJECTS")
	}
	decoder := newDecoder()
	cluster, err := readCluster(os.Args[2], decoder)
	if err != nil {
		return err
	}
	webhook, err := newWebhook(os.Args[1], cluster)
	if err != nil {
		return err
	}
	reviews := bufio.NewReaderSize(os.Stdin, 1<<20)
	answers := bufio.NewWriterSize(os.Stdout, 1<<20)
	encoder := json.NewEncoder(answers)
	for {
		line, err := reviews.ReadBytes('\n')
		if len(line) > 0 {
			if err := encoder.Encode(answer(webhook, decoder, line)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return answers.Flush()
		}
		if err != nil {
			return err
		}
	}
}

// result is one line of the output: a response, or why there is none.
type result struct {
	Response *admissionv1.AdmissionResponse `json:"response,omitempty"`
	Error    string                         `json:"error,omitempty"`
}

// answer judges one review as the handler of upstream's webhook does. Upstream closes the connection when it panics.
func answer(webhook *admission.Admission, decoder runtime.Decoder, line []byte) (answered result) {
	defer func() {
		if panicked := recover(); panicked != nil {
			answered = result{Error: fmt.Sprint("panic: ", panicked)}
		}
	}()
	kind := admissionv1.SchemeGroupVersion.WithKind("AdmissionReview")
	object, _, err := decoder.Decode(line, &kind, nil)
	if err != nil {
		return result{Error: err.Error()}
	}
	review, ok := object.(*admissionv1.AdmissionReview)
	if !ok || review.Request == nil {
		return result{Error: "not an AdmissionReview with a request"}
	}
	// The response may be one that all reviews share.
	response := *webhook.Validate(context.Background(), api.RequestAttributes(review.Request, decoder))
	response.UID = review.Request.UID
	return result{Response: &response}
}

// newDecoder reads what upstream's webhook reads, and as it does.
func newDecoder() runtime.Decoder {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(appsv1.AddToScheme(scheme))
	utilruntime.Must(batchv1.AddToScheme(scheme))
	utilruntime.Must(admissionv1.AddToScheme(scheme))
	return serializer.NewCodecFactory(scheme).UniversalDeserializer()
}

func newWebhook(configuration string, cluster *cluster) (*admission.Admission, error) {
	loaded, err := load.LoadFromFile(configuration)
	if err != nil {
		return nil, err
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, err
	}
	webhook := &admission.Admission{
		Configuration:    loaded,
		Evaluator:        evaluator,
		Metrics:          metrics.NewPrometheusRecorder(api.GetAPIVersion()),
		PodSpecExtractor: admission.DefaultPodSpecExtractor{},
		PodLister:        cluster,
		NamespaceGetter:  cluster,
	}
	if err := webhook.CompleteConfiguration(); err != nil {
		return nil, err
	}
	return webhook, webhook.ValidateConfiguration()
}

// cluster is what a file says is there.
type cluster struct {
	namespaces map[string]*corev1.Namespace
	pods       map[string][]*corev1.Pod
}

func readCluster(file string, decoder runtime.Decoder) (*cluster, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	read := &cluster{namespaces: map[string]*corev1.Namespace{}, pods: map[string][]*corev1.Pod{}}
	for _, item := range list.Items {
		object, _, err := decoder.Decode(item, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		switch object := object.(type) {
		case *corev1.Namespace:
			read.namespaces[object.Name] = object
		case *corev1.Pod:
			read.pods[object.Namespace] = append(read.pods[object.Namespace], object)
		default:
			return nil, fmt.Errorf("%s: neither a Namespace nor a Pod: %T", file, object)
		}
	}
	return read, nil
}

func (c *cluster) GetNamespace(_ context.Context, name string) (*corev1.Namespace, error) {
	if namespace, ok := c.namespaces[name]; ok {
		return namespace, nil
	}
	return nil, apierrors.NewNotFound(corev1.Resource("namespaces"), name)
}

func (c *cluster) ListPods(_ context.Context, namespace string) ([]*corev1.Pod, error) {
	// Whoever asks sorts the list in place.
	return slices.Clone(c.pods[namespace]), nil
}
