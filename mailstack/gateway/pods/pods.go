// Package pods finds cells by watching their Pods: a list and a watch over plain HTTP. The gateway needs five fields of one
// kind; the Kubernetes client library would add 11 MB to the binary and 5 MB to every gateway.
package pods

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/gateway/route"
)

// What marks a cell's Pod.
const (
	selector          = "app.kubernetes.io/name=cell,app.kubernetes.io/part-of=messagerie"
	ministryLabel     = "messagerie.gouv.tg/ministry"
	domainsAnnotation = "messagerie.gouv.tg/domains"
	linkPort          = "link"
)

// pod is what is read of a core/v1 Pod.
type pod struct {
	Metadata struct {
		Name              string            `json:"name"`
		Namespace         string            `json:"namespace"`
		ResourceVersion   string            `json:"resourceVersion"`
		CreationTimestamp string            `json:"creationTimestamp"` // RFC 3339 in UTC: sorts as text
		DeletionTimestamp string            `json:"deletionTimestamp"`
		Labels            map[string]string `json:"labels"`
		Annotations       map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Containers []struct {
			Ports []struct {
				Name          string `json:"name"`
				ContainerPort int    `json:"containerPort"`
			} `json:"ports"`
		} `json:"containers"`
	} `json:"spec"`
	Status struct {
		Phase string `json:"phase"`
		PodIP string `json:"podIP"`
	} `json:"status"`
}

func (p *pod) key() string { return p.Metadata.Namespace + "/" + p.Metadata.Name }

// address is where the Pod's link is, or "" when it is not to be dialled: no address yet, finished, or being deleted.
func (p *pod) address() string {
	if p.Status.PodIP == "" || p.Metadata.DeletionTimestamp != "" || p.Status.Phase == "Failed" || p.Status.Phase == "Succeeded" {
		return ""
	}
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			if port.Name == linkPort {
				return net.JoinHostPort(p.Status.PodIP, strconv.Itoa(port.ContainerPort))
			}
		}
	}
	return ""
}

// entry is what is kept of a Pod.
type entry struct {
	cell    route.Cell
	created string
}

// cellOf reads a Pod. It refuses one whose labels do not fit its namespace: labels can be written by whoever may
// create Pods somewhere, a ministry's namespace belongs to the operator.
func cellOf(p *pod) (entry, error) {
	ministry := p.Metadata.Labels[ministryLabel]
	if ministry == "" || p.Metadata.Namespace != "min-"+ministry {
		return entry{}, fmt.Errorf("label %s is %q", ministryLabel, ministry)
	}
	e := entry{route.Cell{Ministry: ministry, Address: p.address()}, p.Metadata.CreationTimestamp}
	for d := range strings.SplitSeq(p.Metadata.Annotations[domainsAnnotation], ",") {
		if d = strings.TrimSpace(d); d == "" {
			continue
		}
		d, err := directory.NormalizeDomain(d)
		if err != nil {
			return entry{}, fmt.Errorf("annotation %s: %w", domainsAnnotation, err)
		}
		e.cell.Domains = append(e.cell.Domains, d)
	}
	return e, nil
}

// set holds the Pods of the moment.
type set struct {
	log  *slog.Logger
	pods map[string]entry
}

func (s *set) put(p *pod) {
	e, err := cellOf(p)
	if err != nil {
		s.log.Warn("pod is not taken for a cell", "pod", p.key(), "error", err)
		delete(s.pods, p.key())
		return
	}
	s.pods[p.key()] = e
}

// cells lists one cell for each ministry, sorted. Of several Pods the newest that can be dialled counts.
func (s *set) cells() []route.Cell {
	best := map[string]entry{}
	for _, key := range slices.Sorted(maps.Keys(s.pods)) {
		e := s.pods[key]
		old, ok := best[e.cell.Ministry]
		if !ok || better(e, old) {
			best[e.cell.Ministry] = e
		}
	}
	out := make([]route.Cell, 0, len(best))
	for _, e := range best {
		out = append(out, e.cell)
	}
	slices.SortFunc(out, func(a, b route.Cell) int { return cmp.Compare(a.Ministry, b.Ministry) })
	return out
}

func better(a, b entry) bool {
	if (a.cell.Address != "") != (b.cell.Address != "") {
		return a.cell.Address != ""
	}
	return a.created > b.created
}

func sameCells(a, b []route.Cell) bool {
	return slices.EqualFunc(a, b, func(x, y route.Cell) bool {
		return x.Ministry == y.Ministry && x.Address == y.Address && slices.Equal(x.Domains, y.Domains)
	})
}
