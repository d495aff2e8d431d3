package volumes

import (
	"context"
	"fmt"
	"os"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A token is replaced when a fifth of its life is left or it is a day old, as with the kubelet.
const maxTokenAge = 24 * time.Hour

// retryToken is the pause after a token could not be renewed.
const retryToken = 10 * time.Second

// tokenKey names a projected token: a Pod may have several.
type tokenKey struct {
	pod          types.UID
	volume, path string
}

// token is a service account token of a Pod.
type token struct {
	value   string
	renew   time.Time
	expires time.Time
}

// token returns a token for a projected source, the present one as long as it is fresh.
func (m *Manager) token(ctx context.Context, pod *corev1.Pod, volume string, source *corev1.ServiceAccountTokenProjection) (string, error) {
	key := tokenKey{pod: pod.UID, volume: volume, path: source.Path}
	now := time.Now()
	m.mu.Lock()
	present := m.tokens[key]
	m.mu.Unlock()
	if present != nil && now.Before(present.renew) {
		return present.value, nil
	}
	fresh, err := m.requestToken(ctx, pod, source)
	if err != nil {
		if present != nil && now.Before(present.expires) {
			m.log.Warn("service account token not renewed", "pod", pod.Namespace+"/"+pod.Name, "error", err)
			m.mu.Lock()
			present.renew = now.Add(retryToken)
			m.mu.Unlock()
			return present.value, nil
		}
		return "", err
	}
	m.mu.Lock()
	m.tokens[key] = fresh
	m.mu.Unlock()
	return fresh.value, nil
}

// requestToken asks the API server for a token that is only valid while the Pod exists.
func (m *Manager) requestToken(ctx context.Context, pod *corev1.Pod, source *corev1.ServiceAccountTokenProjection) (*token, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: source.ExpirationSeconds,
		BoundObjectRef: &authenticationv1.BoundObjectReference{
			APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID,
		},
	}}
	if source.Audience != "" {
		request.Spec.Audiences = []string{source.Audience}
	}
	asked := time.Now()
	answer, err := retryForbidden(ctx, func(ctx context.Context) (*authenticationv1.TokenRequest, error) {
		return m.client.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(
			ctx, pod.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot get a token for service account %s: %w", pod.Spec.ServiceAccountName, err)
	}
	expires := answer.Status.ExpirationTimestamp.Time
	life := expires.Sub(asked)
	return &token{value: answer.Status.Token, expires: expires, renew: asked.Add(min(life*4/5, maxTokenAge))}, nil
}

// tokenFile makes the file of a token: only the Pod's user may read it when all containers have the same one (kubelet:
// projected.collectData).
func tokenFile(pod *corev1.Pod, value string, mode *int32) file {
	f := file{data: []byte(value), mode: fileMode(nil, mode), uid: -1}
	if fsGroup(pod) >= 0 {
		f.mode = 0o600
		return f
	}
	if uid, ok := commonUser(pod); ok && os.Geteuid() == 0 {
		f.mode, f.uid = 0o600, uid
	}
	return f
}

// commonUser returns the user id all containers of a Pod run as, if there is one.
func commonUser(pod *corev1.Pod) (int, bool) {
	var common *int64
	containers := append(append([]corev1.Container{}, pod.Spec.InitContainers...), pod.Spec.Containers...)
	for i := range containers {
		var uid *int64
		if sc := pod.Spec.SecurityContext; sc != nil {
			uid = sc.RunAsUser
		}
		if sc := containers[i].SecurityContext; sc != nil && sc.RunAsUser != nil {
			uid = sc.RunAsUser
		}
		if uid == nil || (common != nil && *uid != *common) {
			return 0, false
		}
		common = uid
	}
	if common == nil {
		return 0, false
	}
	return int(*common), true
}

// tokensDue returns when the first token of a Pod must be renewed; zero: it has none.
func (m *Manager) tokensDue(pod types.UID) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	var due time.Time
	for key, t := range m.tokens {
		if key.pod == pod && (due.IsZero() || t.renew.Before(due)) {
			due = t.renew
		}
	}
	return due
}

func (m *Manager) forgetTokens(pod types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.tokens {
		if key.pod == pod {
			delete(m.tokens, key)
		}
	}
}
