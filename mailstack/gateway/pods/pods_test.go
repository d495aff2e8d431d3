package pods

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"gouv.tg/messagerie/mailstack/gateway/route"
	"gouv.tg/messagerie/mailstack/link/linktest"
)

// podJSON is a Pod as the API server writes it, with fields that nobody reads.
func podJSON(namespace, ministry, ip, deleted, domains, version string) string {
	if deleted != "" {
		deleted = `"deletionTimestamp":"` + deleted + `",`
	}
	return fmt.Sprintf(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"cell-0","namespace":%q,%s"uid":"u","resourceVersion":%q,
		"creationTimestamp":"2026-11-01T00:00:00Z","labels":{"messagerie.gouv.tg/ministry":%q},"annotations":{"messagerie.gouv.tg/domains":%q},
		"managedFields":[{"manager":"x"}]},"spec":{"containers":[{"name":"cell","ports":[{"name":"admin","containerPort":7001},{"name":"link","containerPort":7000}]}]},
		"status":{"phase":"Running","podIP":%q}}`, namespace, deleted, version, ministry, domains, ip)
}

func parse(t *testing.T, s string) *pod {
	t.Helper()
	var p pod
	if err := json.Unmarshal([]byte(s), &p); err != nil {
		t.Fatal(err)
	}
	return &p
}

func TestCellOf(t *testing.T) {
	for name, tc := range map[string]struct {
		pod  string
		want *route.Cell
	}{
		"running":         {podJSON("min-a", "a", "127.2.0.3", "", "a.gouv.tg, B.gouv.tg", "1"), &route.Cell{Ministry: "a", Address: "127.2.0.3:7000", Domains: []string{"a.gouv.tg", "b.gouv.tg"}}},
		"IPv6":            {podJSON("min-a", "a", "fd00::1", "", "", "1"), &route.Cell{Ministry: "a", Address: "[fd00::1]:7000"}},
		"no address yet":  {podJSON("min-a", "a", "", "", "a.gouv.tg", "1"), &route.Cell{Ministry: "a", Domains: []string{"a.gouv.tg"}}},
		"being deleted":   {podJSON("min-a", "a", "127.2.0.3", "2026-11-01T00:00:00Z", "a.gouv.tg", "1"), &route.Cell{Ministry: "a", Domains: []string{"a.gouv.tg"}}},
		"other namespace": {podJSON("default", "a", "127.2.0.3", "", "", "1"), nil},
		"no ministry":     {podJSON("min-", "", "127.2.0.3", "", "", "1"), nil},
		"bad domain":      {podJSON("min-a", "a", "127.2.0.3", "", "a.gouv.tg,*", "1"), nil},
	} {
		e, err := cellOf(parse(t, tc.pod))
		if (err == nil) != (tc.want != nil) || tc.want != nil && !reflect.DeepEqual(e.cell, *tc.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, e.cell, err, tc.want)
		}
	}
}

func TestNewestPodThatCanBeDialledCounts(t *testing.T) {
	s := &set{slog.New(slog.DiscardHandler), map[string]entry{
		"min-a/old":      {route.Cell{Ministry: "a", Address: "1"}, "2026-11-01"},
		"min-a/new":      {route.Cell{Ministry: "a", Address: "2"}, "2026-11-02"},
		"min-a/starting": {route.Cell{Ministry: "a"}, "2026-11-03"},
		"min-b/leaving":  {route.Cell{Ministry: "b"}, "2026-11-01"},
	}}
	want := []route.Cell{{Ministry: "a", Address: "2"}, {Ministry: "b"}}
	if got := s.cells(); !reflect.DeepEqual(got, want) {
		t.Errorf("cells are %+v, want %+v", got, want)
	}
}

// apiServer plays one scene after the other: each request takes the next.
type apiServer struct {
	t      *testing.T
	mu     sync.Mutex
	scenes []scene
	hold   chan struct{}
}

type scene struct {
	query map[string]string
	code  int
	body  string // for a watch: events, one a line
	hang  bool   // keep the connection open
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	if len(a.scenes) == 0 {
		a.mu.Unlock()
		<-r.Context().Done()
		return
	}
	s := a.scenes[0]
	a.scenes = a.scenes[1:]
	a.mu.Unlock()
	if got := r.Header.Get("Authorization"); got != "Bearer secret" || r.URL.Path != "/api/v1/pods" {
		a.t.Errorf("request for %s with %q", r.URL.Path, got)
	}
	for name, want := range s.query {
		if got := r.URL.Query().Get(name); got != want {
			a.t.Errorf("query %s is %q, want %q", name, got, want)
		}
	}
	if s.code != 0 {
		w.WriteHeader(s.code)
		return
	}
	fmt.Fprint(w, s.body)
	if s.hang {
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-a.hold:
		}
	}
}

func list(version, next string, pods ...string) string {
	items := ""
	for i, p := range pods {
		if i > 0 {
			items += ","
		}
		items += p
	}
	return fmt.Sprintf(`{"kind":"PodList","metadata":{"resourceVersion":%q,"continue":%q},"items":[%s]}`, version, next, items)
}

func event(kind, object string) string {
	return fmt.Sprintf("{\"type\":%q,\"object\":%s}\n", kind, object)
}

func TestWatch(t *testing.T) {
	ca := linktest.NewAuthority(t)
	dir := ca.Dir("api")
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	podA := podJSON("min-a", "a", "127.2.0.3", "", "a.gouv.tg", "5")
	podB := podJSON("min-b", "b", "127.2.0.4", "", "b.gouv.tg", "6")
	movedB := podJSON("min-b", "b", "127.2.0.5", "", "b.gouv.tg", "7")
	api := &apiServer{t: t, hold: make(chan struct{}), scenes: []scene{
		{code: 503},
		{query: map[string]string{"labelSelector": selector, "limit": "500"}, body: list("3", "more", podA)},
		{query: map[string]string{"continue": "more"}, body: list("3", "")},
		{query: map[string]string{"watch": "true", "resourceVersion": "3", "allowWatchBookmarks": "true"},
			body: event("ADDED", podB) + event("MODIFIED", podB) + event("BOOKMARK", `{"kind":"Pod","metadata":{"resourceVersion":"9"}}`) + event("MODIFIED", movedB) +
				event("DELETED", podA) + event("ERROR", `{"kind":"Status","code":410,"message":"too old"}`)},
		// Listed anew: what was missed is seen, what has gone is gone.
		{query: map[string]string{"resourceVersion": ""}, body: list("20", "", podA)},
		{query: map[string]string{"resourceVersion": "20"}, code: 410},
		{body: list("30", "", podA)},
		{query: map[string]string{"resourceVersion": "30"}, body: event("ADDED", podB), hang: true},
	}}
	srv := httptest.NewUnstartedServer(api)
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	srv.StartTLS()
	defer srv.Close()
	defer close(api.hold)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reports := make(chan []route.Cell)
	ended := make(chan error, 1)
	s := &Source{Server: srv.URL, TokenDir: dir, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	go func() {
		ended <- s.Watch(ctx, func(c []route.Cell) {
			select {
			case reports <- c:
			case <-ctx.Done():
			}
		})
	}()
	a := route.Cell{Ministry: "a", Address: "127.2.0.3:7000", Domains: []string{"a.gouv.tg"}}
	b := route.Cell{Ministry: "b", Address: "127.2.0.4:7000", Domains: []string{"b.gouv.tg"}}
	moved := route.Cell{Ministry: "b", Address: "127.2.0.5:7000", Domains: []string{"b.gouv.tg"}}
	for i, want := range [][]route.Cell{{a}, {a, b}, {a, moved}, {moved}, {a}, {a, b}} {
		if got := <-reports; !reflect.DeepEqual(got, want) {
			t.Errorf("report %d is %+v, want %+v", i, got, want)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestInCluster(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := InCluster(slog.Default()); err == nil {
		t.Error("outside a cluster: no error")
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "443")
	if s, err := InCluster(slog.Default()); err != nil || s.Server != "https://[fd00::1]:443" {
		t.Errorf("%+v, %v", s, err)
	}
}
