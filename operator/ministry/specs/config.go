package specs

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/naming"
)

// Where a cell finds what it needs.
const (
	configKey = "cell.json"
	keysKey   = "keys.json"
	configDir = "/etc/messagerie/cell"
	linkDir   = "/etc/messagerie/link"
	dkimDir   = "/etc/messagerie/dkim"
	runDir    = "/run/messagerie"
	dataDir   = "/data"
)

// cellConfig is the file a cell starts from.
type cellConfig struct {
	Ministry        string         `json:"ministry"`
	Domains         []string       `json:"domains"`
	SharedDomain    string         `json:"sharedDomain"`
	Hostname        string         `json:"hostname"`
	DataDir         string         `json:"dataDir"`
	LinkDir         string         `json:"linkDir"`
	AdminSocket     string         `json:"adminSocket"`
	Listen          listenConfig   `json:"listen"`
	MaxMessageBytes int64          `json:"maxMessageBytes"`
	MaxRecipients   int32          `json:"maxRecipients"`
	DKIM            dkimConfig     `json:"dkim"`
	Services        []string       `json:"services"`
	Security        securityConfig `json:"security"`
	Outbound        outboundConfig `json:"outbound"`
	OAuth           *oauthConfig   `json:"oauth,omitempty"`
}

type oauthConfig struct {
	Issuer   string `json:"issuer"`
	Audience string `json:"audience"`
	KeysFile string `json:"keysFile"`
}

type listenConfig struct {
	Link   string `json:"link"`
	Admin  string `json:"admin"`
	Health string `json:"health"`
}

type dkimConfig struct {
	Selector string `json:"selector"`
	KeyFile  string `json:"keyFile"`
}

type securityConfig struct {
	AllowedNetworks []string `json:"allowedNetworks"`
	MinTLSVersion   string   `json:"minTLSVersion"`
}

type outboundConfig struct {
	Mode  string `json:"mode"`
	Relay string `json:"relay"`
}

// Config is the text of cell.json. Lists that have no order are sorted, so that order does not restart the cell.
func (in Input) Config() (string, error) {
	p, m := in.Platform.Spec, in.Ministry.Spec
	c := cellConfig{
		Ministry:     in.Ministry.Name,
		Domains:      slices.Sorted(slices.Values(in.Domains())),
		SharedDomain: string(p.Domain),
		Hostname:     Hostname(in.Platform),
		DataDir:      dataDir,
		LinkDir:      linkDir,
		AdminSocket:  runDir + "/admin.sock",
		Listen: listenConfig{
			Link:   fmt.Sprintf(":%d", naming.PortLink),
			Admin:  fmt.Sprintf(":%d", naming.PortAdmin),
			Health: fmt.Sprintf(":%d", naming.PortHealth),
		},
		MaxMessageBytes: MaxMessageBytes(in.Platform),
		MaxRecipients:   cmp.Or(p.Limits.MaxRecipients, 100),
		DKIM:            dkimConfig{Selector: Selector(in.Ministry.Name), KeyFile: dkimDir + "/dkim.key"},
		Services:        []string{},
		Security: securityConfig{
			AllowedNetworks: []string{},
			MinTLSVersion:   cmp.Or(string(m.Security.MinTLSVersion), "1.2"),
		},
		Outbound: outboundConfig{
			Mode:  string(cmp.Or(p.Outbound.Mode, v1alpha1.OutboundDisabled)),
			Relay: p.Outbound.Relay,
		},
	}
	if o := m.Security.OAuth; o != nil {
		c.OAuth = &oauthConfig{Issuer: o.Issuer, Audience: o.Audience, KeysFile: configDir + "/" + keysKey}
	}
	for _, s := range m.Services {
		c.Services = append(c.Services, string(s))
	}
	for _, n := range m.Security.AllowedNetworks {
		c.Security.AllowedNetworks = append(c.Security.AllowedNetworks, string(n))
	}
	slices.Sort(c.Services)
	slices.Sort(c.Security.AllowedNetworks)
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return "", fmt.Errorf("cannot encode the configuration of the cell: %w", err)
	}
	return string(text), nil
}

// MaxMessageBytes is the largest message the platform accepts.
func MaxMessageBytes(p *v1alpha1.Platform) int64 {
	if q := p.Spec.Limits.MaxMessageSize; q != nil {
		return q.Value()
	}
	return 25 << 20
}

// ConfigMap holds cell.json and the identity provider's keys, which the cell reads again when they change.
func (in Input) ConfigMap(config string) *corev1ac.ConfigMapApplyConfiguration {
	data := map[string]string{configKey: config}
	if o := in.Ministry.Spec.Security.OAuth; o != nil {
		data[keysKey] = o.Keys
	}
	return corev1ac.ConfigMap(naming.Cell, in.namespace()).
		WithLabels(in.labels()).
		WithData(data)
}

// Digest identifies what a Pod takes in at its start only: its configuration, image and size. The Pod carries it, so that
// one sees whether it is the Pod that is wanted.
func (in Input) Digest(config string) string {
	sum := sha256.Sum256([]byte(config + "\n" + in.Image + "\n" + string(in.Ministry.Spec.Size)))
	return hex.EncodeToString(sum[:8])
}
