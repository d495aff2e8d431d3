package report

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPanicCostsOneFile: a defect in one format must not cost the others.
func TestPanicCostsOneFile(t *testing.T) {
	saved := renderers[1].render
	defer func() { renderers[1].render = saved }()
	renderers[1].render = func(w io.Writer, _ *Report) error {
		io.WriteString(w, "half")
		panic("a defect")
	}
	dir := t.TempDir()
	err := Write(dir, Build(Input{Name: "smoke", Verdict: "invalid"}))
	if err == nil || !strings.Contains(err.Error(), "report.html: panic: a defect") {
		t.Errorf("found error %v; accepted is one that names the file and the panic", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, filepath.Base(e.Name()))
	}
	if got := strings.Join(names, " "); got != "junit.xml metrics.prom report.json" {
		t.Errorf("found %s", got)
	}
}
