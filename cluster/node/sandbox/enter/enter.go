// Package enter is what podinit does between being started in new namespaces and becoming the container's process:
// it builds the root file system, gives up privileges and calls execve(2). It must run on a locked OS thread, since
// credentials and filters belong to a thread until execve makes them the process's.
package enter

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"gouv.tg/messagerie/cluster/node/sandbox/spec"
)

// Run turns the calling process into the one s describes. It returns only on failure.
func Run(s *spec.Spec) error {
	if s.Hostname != "" {
		if err := unix.Sethostname([]byte(s.Hostname)); err != nil {
			return fmt.Errorf("cannot set the host name: %w", err)
		}
	}
	if s.Root != nil {
		if err := buildRoot(s.Root); err != nil {
			return err
		}
	}
	limitFiles(s.OpenFiles)
	if err := dropPrivileges(s); err != nil {
		return err
	}
	dir := s.Dir
	if dir == "" {
		dir = "/"
	}
	// After the change of identity: the directory must be reachable by the container's user, not by root.
	if s.Root != nil || s.Dir != "" {
		if err := os.Chdir(dir); err != nil {
			return fmt.Errorf("cannot use the working directory: %w", err)
		}
	}
	path, err := lookPath(s.Args[0], s.Env)
	if err != nil {
		return err
	}
	if s.Seccomp {
		if err := installFilter(); err != nil {
			return err
		}
	}
	err = unix.Exec(path, s.Args, s.Env)
	return fmt.Errorf("cannot run %s: %w", path, err)
}

// lookPath finds name in the PATH of env, by the rules of execvp(3).
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	path := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			path = v
		}
	}
	for _, dir := range strings.Split(path, ":") {
		candidate := strings.TrimSuffix(dir, "/") + "/" + name
		if info, err := os.Stat(candidate); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("cannot run %s: not found in %s", name, path)
}
