package loadtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gouv.tg/messagerie/api/v1alpha1"
)

func TestShellQuoted(t *testing.T) {
	args := []string{"loadtest", "run", "smoke", "--gate", "smtp.mx.p99 < 1s", "it's", "", "$HOME", "a*b"}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf '%s\\n' "+ShellQuoted(args)).Output()
	if err != nil || string(out) != strings.Join(args, "\n")+"\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestFind(t *testing.T) {
	example, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "togo", "loadtest.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var object v1alpha1.LoadTest
	if err := Find(example, &object); err != nil || object.Name != "smoke" || object.Spec.AccountsFrom == nil {
		t.Errorf("%+v, %v", object.Spec, err)
	}
	for text, want := range map[string]string{
		"kind: Secret\n":                                    "found 0 objects",
		"kind: LoadTest\n---\nkind: LoadTest\n":             "found 2 objects",
		"kind: LoadTest\nspec: {prfile: smoke}\n":           "prfile",
		"kind: Secret\n---\nkind: LoadTest\nspeck: false\n": "speck",
	} {
		if err := Find([]byte(text), new(v1alpha1.LoadTest)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
