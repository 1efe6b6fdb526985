package suite

import (
	"context"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	podsecurity "k8s.io/pod-security-admission/test"
)

// TestPodSecurity runs upstream's integration suite against the cluster that KUBECONFIG names. Whoever runs it has
// installed the webhook under test there, and has turned the API server's own PodSecurity plugin off, without which
// nothing would be proved.
func TestPodSecurity(t *testing.T) {
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		t.Skip("KUBECONFIG does not name a cluster: `cargo test --test cluster suite` makes one and runs this in it")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	// The client's own limits would be what takes the time.
	config.QPS = -1
	awaitWebhook(t, config)
	// No information on feature gates, so that every case is run, as upstream does.
	podsecurity.Run(t, podsecurity.Options{ClientConfig: config})
}

// awaitWebhook returns once a namespace with a level that does not exist is refused: the API server takes a moment
// to heed a new configuration.
func awaitWebhook(t *testing.T, config *rest.Config) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	invalid := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   "no-such-level",
		Labels: map[string]string{"pod-security.kubernetes.io/enforce": "no-such-level"},
	}}
	dryRun := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	var last error
	err = wait.PollUntilContextTimeout(context.Background(), 100*time.Millisecond, 30*time.Second, true,
		func(ctx context.Context) (bool, error) {
			_, last = client.CoreV1().Namespaces().Create(ctx, invalid, dryRun)
			return apierrors.IsInvalid(last), nil
		})
	if err != nil {
		t.Fatalf("the webhook does not refuse a namespace with a level that does not exist: %v (last answer: %v)", err, last)
	}
}
