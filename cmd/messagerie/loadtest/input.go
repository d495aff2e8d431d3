package loadtest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"gouv.tg/messagerie/api/v1alpha1"
)

// Find reads the one LoadTest among the documents of a file; what lies beside it, such as its Secret, is for a cluster.
func Find(text []byte, object *v1alpha1.LoadTest) error {
	found := 0
	for documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal(document, &kind); err != nil {
			return err
		}
		if kind.Kind != "LoadTest" {
			continue
		}
		found++
		if err := yaml.UnmarshalStrict(document, object); err != nil {
			return err
		}
	}
	if found != 1 {
		return fmt.Errorf("found %d objects of kind LoadTest; accepted is one", found)
	}
	return nil
}

// ShellQuoted is a command line that can be pasted.
func ShellQuoted(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = arg
		if arg == "" || strings.ContainsFunc(arg, func(r rune) bool {
			return !(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("-_./:=,@%+", r))
		}) {
			quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
