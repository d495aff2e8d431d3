package scenario

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:embed profiles/*.yaml
var profileFiles embed.FS

// Profiles lists the built-in scenarios by name.
func Profiles() []string {
	files, err := profileFiles.ReadDir("profiles")
	if err != nil {
		panic(err) // they are part of the program
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// Profile is the built-in scenario of that name, complete but for its targets.
func Profile(name string) (Scenario, error) {
	text, err := profileFiles.ReadFile("profiles/" + name + ".yaml")
	if err != nil {
		return Scenario{}, fmt.Errorf("profile: found %q; accepted are %s", name, strings.Join(Profiles(), ", "))
	}
	return Parse(text)
}

// Parse reads a scenario from YAML or JSON and completes it. Fields that are not known are errors.
func Parse(text []byte) (Scenario, error) {
	var s Scenario
	if err := yaml.UnmarshalStrict(text, &s); err != nil {
		return s, fmt.Errorf("scenario: %w", err)
	}
	s.Complete()
	return s, s.Validate()
}
