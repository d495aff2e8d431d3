package accounts

import (
	"fmt"
	"slices"
	"strings"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/mailstack/directory"
)

// Rules are what a ministry asks of its accounts beyond the form of the file.
type Rules struct {
	ministry string
	domains  []string                       // own and shared
	entities map[string]map[string]struct{} // services by entity
	clear    bool                           // passwords in clear are accepted: they will be hashed
}

// NewRules takes them from the ministry's spec and the shared domain.
func NewRules(m *v1alpha1.Ministry, shared string) Rules {
	r := Rules{ministry: m.Name, entities: make(map[string]map[string]struct{}, len(m.Spec.Entities))}
	for _, d := range m.Spec.Domains {
		r.domains = append(r.domains, string(d))
	}
	r.domains = append(r.domains, shared)
	for _, e := range m.Spec.Entities {
		services := make(map[string]struct{}, len(e.Services))
		for _, s := range e.Services {
			services[string(s.Name)] = struct{}{}
		}
		r.entities[string(e.Name)] = services
	}
	return r
}

// check returns the column and what is wrong with it; "" when nothing is.
func (r Rules) check(a directory.Account) (column, text string) {
	if !slices.Contains(r.domains, directory.DomainOf(a.Address)) {
		return "address", fmt.Sprintf("found %q; accepted are addresses under %s", a.Address, strings.Join(r.domains, ", "))
	}
	if a.Password != "" && !r.clear && !directory.IsHash(a.Password) {
		return "password", "found a password in clear; accepted is a hash: import the file with messagerie accounts import"
	}
	if a.Entity == "" {
		if a.Service != "" {
			return "service", fmt.Sprintf("found %q without an entity; accepted is a service of the entity in column entity", a.Service)
		}
		return "", ""
	}
	services, ok := r.entities[a.Entity]
	if !ok {
		return "entity", fmt.Sprintf("found %q; accepted are the names in spec.entities of Ministry %s", a.Entity, r.ministry)
	}
	if _, ok := services[a.Service]; a.Service != "" && !ok {
		return "service", fmt.Sprintf("found %q; accepted are the services of entity %s in Ministry %s", a.Service, a.Entity, r.ministry)
	}
	return "", ""
}
