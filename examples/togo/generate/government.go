package main

import (
	"bytes"
	"fmt"
	"os"
	"text/template"

	"sigs.k8s.io/yaml"
)

// rowsPerSecret keeps each Secret below 700 KiB.
const rowsPerSecret = 4000

func (i institution) secrets() int { return (i.users + rowsPerSecret - 1) / rowsPerSecret }

func secretName(slug string, n int) string { return fmt.Sprintf("%s-accounts-%04d", slug, n) }

var governmentTemplate = template.Must(template.New("").Funcs(template.FuncMap{"text": text}).Parse(
	`# The government of Togo: 31 institutions, 70,000 agents. Written by examples/togo/generate; the accounts are not
# here: see README.md.
apiVersion: messagerie.gouv.tg/v1alpha1
kind: Platform
metadata:
  name: platform
spec:
  domain: gouv.tg
{{- range .}}
---
apiVersion: messagerie.gouv.tg/v1alpha1
kind: Ministry
metadata:
  name: {{.Slug}}
spec:
  displayName: {{text .Name}}
  domains:
  - {{.Domain}}
{{- if .Entities}}
  entities:
{{- range .Entities}}
  - name: {{.Slug}}
    displayName: {{text .Name}}
    services:
{{- range .Services}}
    - name: {{.Slug}}
      displayName: {{text .Name}}
{{- end}}{{end}}{{end}}
  accounts:
    sources:
{{- range .Secrets}}
    - kind: Secret
      name: {{.}}
{{- end}}
  size: {{.Size}}
  storage:
    size: {{.Storage}}
  wave: {{.Wave}}
{{- end}}
`))

type governmentView struct {
	Slug, Name, Domain, Size, Storage string
	Wave                              int
	Entities                          []entityView
	Secrets                           []string
}

type entityView struct {
	Slug, Name string
	Services   []serviceView
}

type serviceView struct{ Slug, Name string }

func view(i institution) governmentView {
	v := governmentView{Slug: i.slug, Name: i.name, Domain: i.domain, Wave: i.wave}
	v.Size, v.Storage = i.size()
	for _, e := range i.entities {
		ev := entityView{Slug: e.slug, Name: e.name}
		for _, s := range e.services {
			ev.Services = append(ev.Services, serviceView{s.slug, s.name})
		}
		v.Entities = append(v.Entities, ev)
	}
	for n := range i.secrets() {
		v.Secrets = append(v.Secrets, secretName(i.slug, n+1))
	}
	return v
}

func writeGovernment(path string, institutions []institution) error {
	var views []governmentView
	for _, i := range institutions {
		views = append(views, view(i))
	}
	var out bytes.Buffer
	if err := governmentTemplate.Execute(&out, views); err != nil {
		return fmt.Errorf("cannot write the government: %w", err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		return fmt.Errorf("cannot write the government: %w", err)
	}
	return nil
}

// text quotes a string for YAML where that is needed.
func text(s string) (string, error) {
	out, err := yaml.Marshal(s)
	return string(bytes.TrimSpace(out)), err
}
