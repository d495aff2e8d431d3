package local

import (
	"fmt"
	"os"
	"path/filepath"
)

// binaries are the programs that Pods run, found beside this one: an installation is a folder of static binaries.
type binaries struct{ stackd, podinit string }

func findBinaries() (binaries, error) {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return binaries{}, fmt.Errorf("cannot find this program's own folder: %w", err)
	}
	b := binaries{filepath.Join(filepath.Dir(self), "stackd"), filepath.Join(filepath.Dir(self), "podinit")}
	for _, path := range []string{b.stackd, b.podinit} {
		if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
			return binaries{}, fmt.Errorf("cannot find the program %s beside messagerie: build all of them with: make build", filepath.Base(path))
		}
	}
	return b, nil
}
