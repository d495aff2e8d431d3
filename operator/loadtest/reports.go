package loadtest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/loadtest/report"
	"gouv.tg/messagerie/operator/naming"
)

const (
	// maxReport is what a ConfigMap may hold (1 MiB), less the rest of the object.
	maxReport = 1<<20 - 16<<10
	// annotationShortened says what was left out of a report for its size.
	annotationShortened = "messagerie.gouv.tg/shortened"
)

// reportName is the ConfigMap of a test's report.
func reportName(test string) string { return test + "-report" }

// keepReport writes the report once. It cannot be changed, and goes with the test.
func (r *Reconciler) keepReport(ctx context.Context, s *scope, result *report.Report) error {
	files, shortened, err := pack(result, maxReport)
	if err != nil {
		return err
	}
	labels := naming.Labels(naming.LoadWorker, "")
	labels[naming.LabelLoadTest] = s.test.Name
	config := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.test.Namespace, Name: reportName(s.test.Name), Labels: labels,
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.GroupVersion.String(), Kind: "LoadTest", Name: s.test.Name, UID: s.test.UID, Controller: ptr.To(true),
			}},
		},
		Immutable:  ptr.To(true),
		Data:       map[string]string{},
		BinaryData: map[string][]byte{},
	}
	if shortened != "" {
		config.Annotations = map[string]string{annotationShortened: shortened}
	}
	for name, text := range files {
		if strings.HasSuffix(name, ".gz") {
			config.BinaryData[name] = text
		} else {
			config.Data[name] = string(text)
		}
	}
	err = r.Client.Create(ctx, config, client.FieldOwner(naming.FieldManager))
	if apierrors.IsAlreadyExists(err) {
		if err = r.ours(ctx, s, config); err != nil {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("cannot keep the report: %w", err)
	}
	s.test.Status.ReportRef = config.Name
	return nil
}

// ours accepts a report that an earlier pass over the same test has written.
func (r *Reconciler) ours(ctx context.Context, s *scope, config *corev1.ConfigMap) error {
	var existing corev1.ConfigMap
	if err := r.Reader.Get(ctx, client.ObjectKeyFromObject(config), &existing); err != nil {
		return fmt.Errorf("cannot read ConfigMap %s: %w", config.Name, err)
	}
	if metav1.IsControlledBy(&existing, s.test) {
		return nil
	}
	return fmt.Errorf("cannot keep the report: ConfigMap %s is there already and of somebody else: remove it", config.Name)
}

// pack renders the files of a report so that together they are at most limit bytes. It gives up what can be had again
// first: files are compressed, then the course over time and the histograms leave report.html and report.json, and
// report.html as a whole goes last. shortened says what was done beyond compressing.
func pack(r *report.Report, limit int) (files map[string][]byte, shortened string, err error) {
	files, err = render(r)
	if err != nil {
		return nil, "", err
	}
	for _, name := range []string{report.JSONFile, report.HTMLFile, report.PrometheusFile, report.JUnitFile} {
		if size(files) <= limit {
			return files, "", nil
		}
		if err := compress(files, name); err != nil {
			return nil, "", err
		}
	}
	if size(files) <= limit {
		return files, "", nil
	}
	short := *r
	short.Series, short.Operations = nil, maps.Clone(r.Operations)
	for name, o := range short.Operations {
		o.Histogram, o.Failures = nil, nil
		short.Operations[name] = o
	}
	short.Target.Pods = nil
	shortened = "the course over time, the histograms and the single Pods are left out: the report was too large"
	if files, err = render(&short); err != nil {
		return nil, "", err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := compress(files, name); err != nil {
			return nil, "", err
		}
	}
	if size(files) > limit {
		delete(files, report.HTMLFile+".gz")
		shortened += ", and so was " + report.HTMLFile
	}
	if n := size(files); n > limit {
		return nil, "", fmt.Errorf("cannot keep the report: found %d bytes; accepted are at most %d", n, limit)
	}
	return files, shortened, nil
}

func render(r *report.Report) (map[string][]byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", report.JSONFile, err)
	}
	files := map[string][]byte{report.JSONFile: text}
	for name, write := range map[string]func(io.Writer, *report.Report) error{
		report.HTMLFile: report.WriteHTML, report.JUnitFile: report.WriteJUnit, report.PrometheusFile: report.WritePrometheus,
	} {
		var b bytes.Buffer
		if err := write(&b, r); err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", name, err)
		}
		files[name] = b.Bytes()
	}
	return files, nil
}

func compress(files map[string][]byte, name string) error {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(files[name]); err != nil {
		return fmt.Errorf("cannot compress %s: %w", name, err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("cannot compress %s: %w", name, err)
	}
	delete(files, name)
	files[name+".gz"] = b.Bytes()
	return nil
}

func size(files map[string][]byte) (n int) {
	for name, text := range files {
		n += len(name) + len(text)
	}
	return n
}
