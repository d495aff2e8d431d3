// Package config holds the manifests of the operator: the generated kinds, the rights, and kustomize bases.
package config

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

//go:embed namespace/namespace.yaml crd/*.yaml rbac/*.yaml
var manifests embed.FS

// folders in the order in which their objects are to be applied.
var folders = []string{"namespace", "crd", "rbac"}

// Objects are everything that a cluster needs before the operator can run in it or against it: the system namespace,
// the kinds, and the rights of operator and gateways.
func Objects() ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for _, folder := range folders {
		files, err := fs.Glob(manifests, folder+"/*.yaml")
		if err != nil {
			return nil, fmt.Errorf("cannot list the manifests: %w", err)
		}
		for _, name := range files {
			text, err := manifests.ReadFile(name)
			if err != nil {
				return nil, fmt.Errorf("cannot read the manifest: %w", err)
			}
			objects, err := decode(text)
			if err != nil {
				return nil, fmt.Errorf("cannot decode %s: %w", name, err)
			}
			out = append(out, objects...)
		}
	}
	return out, nil
}

func decode(text []byte) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		o := &unstructured.Unstructured{}
		switch err := documents.Decode(&o.Object); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, err
		case len(o.Object) > 0 && o.GetKind() != "Kustomization":
			out = append(out, o)
		}
	}
}
