package admission

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	admissionv1ac "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/naming"
)

const timeoutSeconds = 10

// Register has the API server ask this server before it accepts a Platform, or a change of a Ministry or a LoadTest. It fails closed:
// while no operator answers, such changes are refused; the operator's own bookkeeping never is.
func (s *Server) Register(ctx context.Context, c client.Client) error {
	config := admissionv1ac.ValidatingWebhookConfiguration(naming.PartOf).
		WithLabels(naming.Labels(naming.Operator, "")).
		WithWebhooks(
			s.webhook("ministries", ministryPath, admissionv1.Create, admissionv1.Update),
			s.webhook("platforms", platformPath, admissionv1.Create),
			s.webhook("loadtests", loadTestPath, admissionv1.Create, admissionv1.Update))
	if err := c.Apply(ctx, config, client.FieldOwner(naming.FieldManager), client.ForceOwnership); err != nil {
		return fmt.Errorf("cannot register the webhooks: %w", err)
	}
	return nil
}

func (s *Server) webhook(resource, path string, operations ...admissionv1.OperationType) *admissionv1ac.ValidatingWebhookApplyConfiguration {
	rule := admissionv1ac.RuleWithOperations().
		WithOperations(operations...).
		WithAPIGroups(v1alpha1.GroupVersion.Group).
		WithAPIVersions(v1alpha1.GroupVersion.Version).
		WithResources(resource).
		WithScope(admissionv1.AllScopes)
	// What only touches metadata, such as finalizers, is not asked about.
	changed := admissionv1ac.MatchCondition().
		WithName("spec-changed").
		WithExpression("oldObject == null || object.spec != oldObject.spec")
	return admissionv1ac.ValidatingWebhook().
		WithName(resource + "." + v1alpha1.GroupVersion.Group).
		WithClientConfig(s.clientConfig(path)).
		WithRules(rule).
		WithMatchConditions(changed).
		WithFailurePolicy(admissionv1.Fail).
		WithMatchPolicy(admissionv1.Equivalent).
		WithSideEffects(admissionv1.SideEffectClassNone).
		WithTimeoutSeconds(timeoutSeconds).
		WithAdmissionReviewVersions("v1")
}

func (s *Server) clientConfig(path string) *admissionv1ac.WebhookClientConfigApplyConfiguration {
	config := admissionv1ac.WebhookClientConfig().WithCABundle(s.options.Authority.CertificatePEM()...)
	if s.options.URL == "" && s.options.Service != "" {
		return config.WithService(admissionv1ac.ServiceReference().
			WithNamespace(naming.SystemNamespace).WithName(s.options.Service).WithPath(path).WithPort(443))
	}
	return config.WithURL(s.base.JoinPath(path).String())
}
