package pods

import (
	"fmt"
	"os"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"gouv.tg/messagerie/cluster/node/environment"
	"gouv.tg/messagerie/cluster/node/sandbox/spec"
)

// files returns the files every container has: hosts, resolv.conf, hostname, and a user of its own.
func files(pod *corev1.Pod, address string, id identity, image Image) []spec.File {
	hostname := environment.Hostname(pod)
	list := []spec.File{
		{Path: "/etc/hosts", Mode: 0o644, Content: hosts(pod, address, hostname)},
		{Path: "/etc/hostname", Mode: 0o644, Content: hostname + "\n"},
		{Path: "/etc/resolv.conf", Mode: 0o644, Content: resolvConf(pod)},
	}
	if image.Root != "" {
		return list // it brings its own users
	}
	passwd := "root:x:0:0:root:/:/sbin/nologin\n"
	group := "root:x:0:\n"
	if id.uid != 0 {
		passwd += fmt.Sprintf("pod:x:%d:%d:pod:/:/sbin/nologin\n", id.uid, id.gid)
	}
	if id.gid != 0 {
		group += fmt.Sprintf("pod:x:%d:\n", id.gid)
	}
	return append(list,
		spec.File{Path: "/etc/passwd", Mode: 0o644, Content: passwd},
		spec.File{Path: "/etc/group", Mode: 0o644, Content: group},
		spec.File{Path: "/etc/nsswitch.conf", Mode: 0o644, Content: "hosts: files dns\n"},
	)
}

func hosts(pod *corev1.Pod, address, hostname string) string {
	var b strings.Builder
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	names := hostname
	if pod.Spec.Subdomain != "" {
		names = fmt.Sprintf("%s.%s.%s.svc.cluster.local\t%s", hostname, pod.Spec.Subdomain, pod.Namespace, hostname)
	}
	fmt.Fprintf(&b, "%s\t%s\n", address, names)
	for _, alias := range pod.Spec.HostAliases {
		fmt.Fprintf(&b, "%s\t%s\n", alias.IP, strings.Join(alias.Hostnames, "\t"))
	}
	return b.String()
}

// resolvConf is the machine's, as there is no DNS of the cluster's own, with the Pod's additions.
func resolvConf(pod *corev1.Pod) string {
	var content string
	if pod.Spec.DNSPolicy != corev1.DNSNone {
		if data, err := os.ReadFile("/etc/resolv.conf"); err == nil {
			content = string(data)
		}
	}
	c := pod.Spec.DNSConfig
	if c == nil {
		return content
	}
	for _, server := range c.Nameservers {
		content += "nameserver " + server + "\n"
	}
	if len(c.Searches) > 0 {
		content += "search " + strings.Join(c.Searches, " ") + "\n"
	}
	for _, o := range c.Options {
		content += "options " + o.Name
		if o.Value != nil {
			content += ":" + *o.Value
		}
		content += "\n"
	}
	return content
}

// hostPathOf finds the host file behind a path of an image made of files.
func hostPathOf(image Image, name string) (string, bool) {
	if host, ok := image.Files[name]; ok {
		return host, true
	}
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if host, ok := image.Files[dir]; ok {
			return path.Join(host, strings.TrimPrefix(name, dir)), true
		}
		if dir == "/" || dir == "." {
			break
		}
	}
	if image.Root != "" {
		return path.Join(image.Root, name), true
	}
	return "", false
}
