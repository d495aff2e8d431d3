package harness

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// Domain is the shared domain of test installations and Hostname what their gateways call themselves.
const (
	Domain   = "gouv.tg"
	Hostname = "mail." + Domain
)

// Ministry is a test ministry.
type Ministry struct {
	Name     string
	Domain   string
	Accounts []Account
}

// Namespace is where the ministry's cell runs.
func (m Ministry) Namespace() string { return "min-" + m.Name }

// NewMinistry makes a ministry with a domain of its own (NAME.gouv.tg), own accounts under that domain and shared ones
// under the domain that all ministries have in common.
func NewMinistry(name string, own, shared int) Ministry {
	m := Ministry{Name: name, Domain: name + "." + Domain}
	for n := 1; n <= own; n++ {
		m.Accounts = append(m.Accounts, NewAccount(fmt.Sprintf("agent%d@%s", n, m.Domain)))
	}
	for n := 1; n <= shared; n++ {
		m.Accounts = append(m.Accounts, NewAccount(fmt.Sprintf("agent%d.%s@%s", n, name, Domain)))
	}
	return m
}

var manifest = template.Must(template.New("").Funcs(template.FuncMap{
	"hash":  func(a Account) string { return a.hash() },
	"local": func(a Account) string { local, _, _ := strings.Cut(a.Address, "@"); return local },
}).Parse(`apiVersion: messagerie.gouv.tg/v1alpha1
kind: Platform
metadata: {name: platform}
spec:
  domain: {{.Domain}}
{{- range .Ministries}}
---
apiVersion: v1
kind: Secret
metadata: {name: accounts-{{.Name}}, namespace: messagerie-system}
stringData:
  accounts.csv: |
    address,name,entity,service,password
{{- range .Accounts}}
    {{.Address}},Test {{local .}},,,{{hash .}}
{{- end}}
---
apiVersion: messagerie.gouv.tg/v1alpha1
kind: Ministry
metadata: {name: {{.Name}}}
spec:
  displayName: Test ministry {{.Name}}
  domains: [{{.Domain}}]
  accounts:
    sources: [{kind: Secret, name: accounts-{{.Name}}}]
{{- end}}
`))

// WriteManifest writes a Platform and the ministries to a file in dir and returns its path.
func WriteManifest(dir string, ministries ...Ministry) (string, error) {
	var text bytes.Buffer
	err := manifest.Execute(&text, struct {
		Domain     string
		Ministries []Ministry
	}{Domain, ministries})
	path := filepath.Join(dir, "manifest.yaml")
	if err == nil {
		err = os.WriteFile(path, text.Bytes(), 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("cannot write the manifest: %w", err)
	}
	return path, nil
}
