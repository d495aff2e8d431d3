package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Names of the files Write makes.
const (
	JSONFile       = "report.json"
	HTMLFile       = "report.html"
	JUnitFile      = "junit.xml"
	PrometheusFile = "metrics.prom"
)

// renderers are the files in the order of their worth: report.json can make the others again.
var renderers = []struct {
	name   string
	render func(io.Writer, *Report) error
}{
	{JSONFile, writeJSON},
	{HTMLFile, WriteHTML},
	{JUnitFile, WriteJUnit},
	{PrometheusFile, WritePrometheus},
}

// Write makes the four files in dir, which it creates. Each is written under a temporary name, synced and renamed, so
// that a reader never sees half a file; each is attempted even if another fails or panics. The errors are joined.
func Write(dir string, r *Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make the directory of reports: %w", err)
	}
	var failed []error
	for _, f := range renderers {
		if err := writeFile(filepath.Join(dir, f.name), r, f.render); err != nil {
			failed = append(failed, fmt.Errorf("cannot write %s: %w", f.name, err))
		}
	}
	if err := syncDirectory(dir); err != nil {
		failed = append(failed, fmt.Errorf("cannot sync %s: %w", dir, err))
	}
	return errors.Join(failed...)
}

// CheckDirectory makes the directory and says whether files can be written there.
func CheckDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make the directory of reports: %w", err)
	}
	f, err := os.CreateTemp(dir, ".report.*")
	if err != nil {
		return fmt.Errorf("cannot write into the directory of reports: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func writeFile(path string, r *Report, render func(io.Writer, *Report) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := render(f, r); err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func writeJSON(w io.Writer, r *Report) error {
	return json.NewEncoder(w).Encode(r)
}

// Read reads dir/report.json.
func Read(dir string) (*Report, error) {
	path := filepath.Join(dir, JSONFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the report: %w", err)
	}
	r := new(Report)
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("%s: schema: found %q; accepted is %q", path, r.Schema, Schema)
	}
	return r, nil
}
