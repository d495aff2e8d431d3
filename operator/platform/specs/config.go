package specs

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/operator/records"
)

// Where a gateway finds what it needs.
const (
	configKey = "gateway.json"
	configDir = "/etc/messagerie/gateway"
	tlsDir    = "/etc/messagerie/tls"
	linkDir   = "/etc/messagerie/link"

	maxConnectionsPerAddress = 2_000
)

// gatewayConfig is the file a gateway starts from.
type gatewayConfig struct {
	Hostname                 string            `json:"hostname"`
	SharedDomain             string            `json:"sharedDomain"`
	TLSDir                   string            `json:"tlsDir"`
	LinkDir                  string            `json:"linkDir"`
	Listen                   map[string]string `json:"listen"`
	TrustedNetworks          []string          `json:"trustedNetworks"`
	MaxMessageBytes          int64             `json:"maxMessageBytes"`
	MaxRecipients            int32             `json:"maxRecipients"`
	MaxConnectionsPerAddress int               `json:"maxConnectionsPerAddress"`
	Routes                   routesConfig      `json:"routes"`
}

type routesConfig struct {
	Kubernetes struct{} `json:"kubernetes"`
}

// Config is the text of gateway.json.
func (in Input) Config() (string, error) {
	spec := in.Platform.Spec
	c := gatewayConfig{
		Hostname:                 records.Hostname(in.Platform),
		SharedDomain:             string(spec.Domain),
		TLSDir:                   tlsDir,
		LinkDir:                  linkDir,
		Listen:                   map[string]string{"health": fmt.Sprintf(":%d", naming.PortHealth)},
		TrustedNetworks:          []string{"127.0.0.0/8", "::1/128"},
		MaxMessageBytes:          25 << 20,
		MaxRecipients:            cmp.Or(spec.Limits.MaxRecipients, 100),
		MaxConnectionsPerAddress: maxConnectionsPerAddress,
	}
	if spec.Limits.MaxMessageSize != nil {
		c.MaxMessageBytes = spec.Limits.MaxMessageSize.Value()
	}
	for _, p := range Ports {
		c.Listen[p.Name] = fmt.Sprintf(":%d", in.BasePort+p.WellKnown)
	}
	for _, n := range spec.Gateway.TrustedNetworks {
		c.TrustedNetworks = append(c.TrustedNetworks, string(n))
	}
	slices.Sort(c.TrustedNetworks)
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return "", fmt.Errorf("cannot encode the configuration of the gateways: %w", err)
	}
	return string(text), nil
}

// Digest identifies what a gateway takes in at its start only: its configuration and image.
func (in Input) Digest(config string) string {
	sum := sha256.Sum256([]byte(config + "\n" + in.Image))
	return hex.EncodeToString(sum[:8])
}

// ConfigMap holds gateway.json.
func ConfigMap(config string) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(naming.Gateway, naming.SystemNamespace).
		WithLabels(labels()).
		WithData(map[string]string{configKey: config})
}
