package main

import (
	"context"
	"encoding/json"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/informers"
	core "k8s.io/kubernetes/pkg/apis/core"
	rbacvalidation "k8s.io/kubernetes/pkg/registry/rbac/validation"
	psputil "k8s.io/kubernetes/pkg/security/podsecuritypolicy/util"
	plugin "k8s.io/kubernetes/plugin/pkg/admission/security/podsecuritypolicy"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac"
)

// several are policies that only some may use. Whoever sends the pods may use none: the pod's service account counts.
type several struct {
	plugin *plugin.Plugin
}

// resources are the plural names under which pods are reviewed.
var resources = core.Resource("pods").WithVersion("v1")

func newPlugin(policies, grants []json.RawMessage) (judge, []string, error) {
	authorizer, err := newAuthorizer(grants)
	if err != nil {
		return nil, nil, err
	}
	// It never runs: the policies are put into its store by hand.
	factory := informers.NewSharedInformerFactory(nil, 0)
	store := factory.Policy().V1beta1().PodSecurityPolicies().Informer().GetStore()
	var invalid []string
	for _, raw := range policies {
		policy, faults, err := decodePolicy(raw)
		if err != nil {
			return nil, nil, err
		}
		invalid = append(invalid, faults...)
		if err := store.Add(policy); err != nil {
			return nil, nil, err
		}
	}
	plugins := admission.NewPlugins()
	plugin.Register(plugins)
	made, err := plugins.InitPlugin(plugin.PluginName, nil, initializer(func(made *plugin.Plugin) {
		made.SetAuthorizer(authorizer)
		made.SetExternalKubeInformerFactory(factory)
	}))
	if err != nil {
		return nil, nil, err
	}
	return &several{plugin: made.(*plugin.Plugin)}, invalid, nil
}

// initializer hands the plugin what the API server does.
type initializer func(made *plugin.Plugin)

func (i initializer) Initialize(made admission.Interface) {
	i(made.(*plugin.Plugin))
}

// newAuthorizer is that of the API server, over these objects.
func newAuthorizer(grants []json.RawMessage) (*rbac.RBACAuthorizer, error) {
	var roles []*rbacv1.Role
	var roleBindings []*rbacv1.RoleBinding
	var clusterRoles []*rbacv1.ClusterRole
	var clusterRoleBindings []*rbacv1.ClusterRoleBinding
	for _, raw := range grants {
		object, err := decode[runtime.Object](raw)
		if err != nil {
			return nil, fmt.Errorf("a grant: %w", err)
		}
		switch object := object.(type) {
		case *rbacv1.Role:
			roles = append(roles, object)
		case *rbacv1.RoleBinding:
			roleBindings = append(roleBindings, object)
		case *rbacv1.ClusterRole:
			clusterRoles = append(clusterRoles, object)
		case *rbacv1.ClusterRoleBinding:
			clusterRoleBindings = append(clusterRoleBindings, object)
		default:
			return nil, fmt.Errorf("%T grants nothing", object)
		}
	}
	_, static := rbacvalidation.NewTestRuleResolver(roles, roleBindings, clusterRoles, clusterRoleBindings)
	return rbac.New(static, static, static, static), nil
}

// judge sends a new pod through both phases of the plugin.
func (s *several) judge(raw json.RawMessage) (answer, error) {
	pod, err := decodePod(raw)
	if err != nil {
		return answer{}, err
	}
	requester := &user.DefaultInfo{Name: "requester", Groups: []string{user.AllAuthenticated}}
	attributes := admission.NewAttributesRecord(pod, nil, core.Kind("Pod").WithVersion("v1"), pod.Namespace, pod.Name,
		resources, "", admission.Create, nil, false, requester)
	for _, phase := range []func(context.Context, admission.Attributes, admission.ObjectInterfaces) error{
		s.plugin.Admit, s.plugin.Validate,
	} {
		if err := phase(context.Background(), attributes, nil); err != nil {
			return answer{Errors: []string{err.Error()}}, nil
		}
	}
	by := pod.Annotations[psputil.ValidatedPSPAnnotation]
	delete(pod.Annotations, psputil.ValidatedPSPAnnotation)
	said, err := admitted(pod)
	said.By = by
	return said, err
}
