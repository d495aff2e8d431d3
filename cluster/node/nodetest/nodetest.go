// Package nodetest builds the two programs the node's tests run as real processes.
package nodetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Programs are paths of built programs.
type Programs struct {
	// PodInit is cmd/podinit.
	PodInit string
	// Helper is nodetest/helper, which plays the container.
	Helper string
}

// Build builds the programs into dir.
func Build(dir string) (Programs, error) {
	p := Programs{PodInit: filepath.Join(dir, "podinit"), Helper: filepath.Join(dir, "helper")}
	for out, pkg := range map[string]string{
		p.PodInit: "gouv.tg/messagerie/cmd/podinit",
		p.Helper:  "gouv.tg/messagerie/cluster/node/nodetest/helper",
	} {
		cmd := exec.Command("go", "build", "-o", out, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := cmd.CombinedOutput(); err != nil {
			return Programs{}, fmt.Errorf("cannot build %s: %w: %s", pkg, err, output)
		}
	}
	return p, nil
}
