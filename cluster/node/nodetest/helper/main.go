// Command helper plays a container's program in tests of the node: its first argument says what to do. Facts go to
// standard output, one a line.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) < 2 {
		fail("usage: helper VERB [ARGUMENT]...")
	}
	verbs := map[string]func([]string){
		"facts": facts, "exit": exit, "run": run, "stubborn": stubborn, "serve": serve, "cat": cat, "env": env,
		"echo": echo, "write": write, "spawn": spawn, "denied": denied, "crash": crash, "listen": listen, "stdin": stdin,
		"exists": exists, "spam": spam,
	}
	verb, ok := verbs[os.Args[1]]
	if !ok {
		fail("unknown verb " + os.Args[1])
	}
	verb(os.Args[2:])
}

func fail(text string) {
	fmt.Fprintln(os.Stderr, text)
	os.Exit(1)
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

// facts prints what the process sees of itself and its surroundings.
func facts([]string) {
	groups, _ := os.Getgroups()
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	fmt.Printf("pid=%d\nuid=%d\ngid=%d\ngroups=%v\nhostname=%s\ncwd=%s\n", os.Getpid(), os.Getuid(), os.Getgid(), groups, host, dir)
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		for _, name := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"} {
			if v, ok := strings.CutPrefix(line, name+":\t"); ok {
				fmt.Printf("%s=%s\n", name, v)
			}
		}
	}
	var limit syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	fmt.Printf("nofile=%d\n", limit.Max)
	processes := 0
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err == nil {
			processes++
		}
	}
	fmt.Printf("processes=%d\n", processes)
	root, _ := os.ReadDir("/")
	for _, e := range root {
		fmt.Printf("root=%s\n", e.Name())
	}
	fmt.Printf("writeRoot=%t\n", os.WriteFile("/probe", nil, 0o600) == nil)
}

func exit(args []string) {
	code, err := strconv.Atoi(args[0])
	check(err)
	os.Exit(code)
}

// run waits for SIGTERM and exits with 0, or with the code given.
func run(args []string) {
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	fmt.Println("running")
	<-terms
	fmt.Println("terminating")
	if len(args) > 0 {
		exit(args)
	}
}

// stubborn ignores SIGTERM.
func stubborn([]string) {
	signal.Ignore(syscall.SIGTERM)
	fmt.Println("running")
	sleep()
}

// sleep never returns.
func sleep() {
	for {
		time.Sleep(time.Hour)
	}
}

// serve answers HTTP at the address: /ok with 200; /flag with 200 while the file named exists, 503 otherwise. A second
// argument is the time to wait before listening.
func serve(args []string) {
	if len(args) > 1 {
		wait, err := time.ParseDuration(args[1])
		check(err)
		time.Sleep(wait)
	}
	http.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	http.HandleFunc("/flag", func(w http.ResponseWriter, r *http.Request) {
		if _, err := os.Stat(r.URL.Query().Get("file")); err != nil {
			http.Error(w, "no", http.StatusServiceUnavailable)
		}
	})
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	go func() {
		<-terms
		os.Exit(0)
	}()
	check(http.ListenAndServe(os.ExpandEnv(args[0]), nil))
}

// listen accepts and closes TCP connections.
func listen(args []string) {
	l, err := net.Listen("tcp", os.ExpandEnv(args[0]))
	check(err)
	for {
		c, err := l.Accept()
		check(err)
		c.Close()
	}
}

func cat(args []string) {
	for _, name := range args {
		f, err := os.Open(name)
		check(err)
		_, err = io.Copy(os.Stdout, f)
		check(err)
	}
}

func exists(args []string) {
	_, err := os.Stat(args[0])
	check(err)
}

func env([]string) {
	for _, e := range os.Environ() {
		fmt.Println(e)
	}
}

func echo(args []string) { fmt.Println(strings.Join(args, " ")) }

// write writes its second argument to the file named first.
func write(args []string) { check(os.WriteFile(args[0], []byte(args[1]), 0o640)) }

// spawn starts children that outlive a careless parent, prints their number and waits to be killed.
func spawn(args []string) {
	n, err := strconv.Atoi(args[0])
	check(err)
	for range n {
		cmd := exec.Command(os.Args[0], "stubborn")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		check(cmd.Start())
	}
	fmt.Println("spawned", n)
	sleep()
}

// denied tries what the system call filter must refuse.
func denied([]string) {
	_, _, mount := unix.Syscall(unix.SYS_UNSHARE, unix.CLONE_NEWUSER, 0, 0)
	_, _, keys := unix.Syscall(unix.SYS_KEYCTL, 0, 0, 0)
	_, _, bpf := unix.Syscall(unix.SYS_BPF, 0, 0, 0)
	fmt.Printf("unshare=%v\nkeyctl=%v\nbpf=%v\n", mount, keys, bpf)
}

// crash exits with 1 as long as the file named does not exist; then it runs.
func crash(args []string) {
	if _, err := os.Stat(args[0]); err != nil {
		fmt.Println("crashing")
		os.Exit(1)
	}
	run(nil)
}

// stdin copies lines back and exits with the number of lines.
func stdin([]string) {
	n := 0
	for scanner := bufio.NewScanner(os.Stdin); scanner.Scan(); n++ {
		fmt.Println("got", scanner.Text())
	}
	os.Exit(n)
}

// spam writes numbered lines and exits.
func spam(args []string) {
	n, err := strconv.Atoi(args[0])
	check(err)
	w := bufio.NewWriter(os.Stdout)
	for i := range n {
		fmt.Fprintf(w, "line %d\n", i)
	}
	check(w.Flush())
}
