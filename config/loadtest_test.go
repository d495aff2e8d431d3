package config

import "testing"

func loadTest(name, spec string) string {
	return "apiVersion: messagerie.gouv.tg/v1alpha1\nkind: LoadTest\nmetadata:\n  name: " + name + "\nspec:\n" + spec
}

func TestLoadTest(t *testing.T) {
	const smoke = "  profile: smoke\n"
	const status = "status: {startedAt: \"2026-01-01T00:00:00Z\"}\n"
	stream := func(text string) string { return smoke + "  streams: [{name: a, activity: MX, " + text + "}]\n" }
	run(t, loadKind(t, "loadtests.messagerie.gouv.tg"), []judgement{
		{name: "smallest", object: loadTest("smoke", smoke)},
		{name: "whole", object: loadTest("smoke", smoke+`
  paused: [{reason: not before noon}]
  users: 70000
  workers: 16
  seed: 7
  connectSeconds: 60
  warmUpSeconds: 0
  durationSeconds: 600
  settleSeconds: 30
  rateFactor: 1.5
  sessions: {share: 0.25}
  streams:
  - {name: mx, activity: MX, rate: 4.5, curve: [{atSeconds: 0, factor: 0.5}, {atSeconds: 60, factor: 2}]}
  - {name: desk, activity: Desktop, perUserHour: 0.5, arrivals: Constant, actions: [{action: Noop, weight: 1.5}]}
  - {name: send, activity: Submission, model: Closed, concurrency: 8, thinkSeconds: 0.5, messagesPerConnection: 10}
  gates: [imap.fetch.p99 < 500ms min_count=200, content.errors == 0]
  objectives: [imap.fetch within 500ms for 99%]
  target: {endpoints: [{protocol: SMTP, address: "mail.gouv.tg:25"}, {protocol: IMAPS, address: "[2001:db8::1]:993"}], verification: Insecure}
  accountsFrom: {name: agents, key: agents.csv}
  concurrency: Allow
  checks: {witnesses: 0.01, mirrors: 0, settle: 10, cleanUp: Remove}
  ttlSecondsAfterFinished: 0`)},
		{name: "without a profile", object: loadTest("mx", "  users: 1\n  durationSeconds: 10\n  streams: [{name: a, activity: MX, rate: 1}]\n")},
		{name: "neither profile nor streams", object: loadTest("x", "  users: 1\n  durationSeconds: 10\n"), want: []string{"spec.profile", "unless streams"}},
		{name: "streams without users", object: loadTest("x", "  streams: [{name: a, activity: MX, rate: 1}]\n"), want: []string{"spec.users", "spec.durationSeconds"}},
		{name: "name with a dot", object: loadTest("a.b", smoke), want: []string{"metadata.name"}},
		{name: "17 workers", object: loadTest("x", smoke+"  workers: 17\n"), want: []string{"spec.workers"}},
		{name: "no users", object: loadTest("x", smoke+"  users: 0\n"), want: []string{"spec.users"}},
		{name: "too long", object: loadTest("x", smoke+"  durationSeconds: 604801\n"), want: []string{"spec.durationSeconds"}},
		{name: "no rate", object: loadTest("x", smoke+"  rateFactor: 0\n"), want: []string{"spec.rateFactor"}},
		{name: "stream twice", object: loadTest("x", smoke+"  streams: [{name: a, activity: MX, rate: 1}, {name: a, activity: MX, rate: 1}]\n"), want: []string{"spec.streams[1]", "Duplicate"}},
		{name: "unknown activity", object: loadTest("x", smoke+"  streams: [{name: a, activity: Fax, rate: 1}]\n"), want: []string{"spec.streams[0].activity"}},
		{name: "open without a rate", object: loadTest("x", stream("model: Open")), want: []string{"spec.streams[0].rate"}},
		{name: "two rates", object: loadTest("x", stream("rate: 1, perUserHour: 1")), want: []string{"spec.streams[0].rate"}},
		{name: "open with concurrency", object: loadTest("x", stream("rate: 1, concurrency: 1")), want: []string{"spec.streams[0].concurrency"}},
		{name: "closed without concurrency", object: loadTest("x", stream("model: Closed")), want: []string{"spec.streams[0].concurrency"}},
		{name: "closed with a rate", object: loadTest("x", stream("model: Closed, concurrency: 1, rate: 1")), want: []string{"spec.streams[0].rate"}},
		{name: "gate twice", object: loadTest("x", smoke+"  gates: [errors == 0, errors == 0]\n"), want: []string{"spec.gates[1]", "Duplicate"}},
		{name: "target without a port", object: loadTest("x", smoke+"  target: {endpoints: [{protocol: SMTP, address: mail.gouv.tg}]}\n"), want: []string{"spec.target.endpoints[0].address"}},
		{name: "target without endpoints", object: loadTest("x", smoke+"  target: {endpoints: []}\n"), want: []string{"spec.target.endpoints"}},
		{name: "authority that is not looked at", object: loadTest("x", smoke+"  target: {endpoints: [{protocol: SMTP, address: \"a:25\"}], verification: Insecure, certificateAuthority: x}\n"), want: []string{"spec.target.certificateAuthority"}},
		{name: "accounts of no Secret", object: loadTest("x", smoke+"  accountsFrom: {key: a}\n"), want: []string{"spec.accountsFrom.name"}},
		{name: "key with a slash", object: loadTest("x", smoke+"  accountsFrom: {name: a, key: ../b}\n"), want: []string{"spec.accountsFrom.key"}},
		{name: "more than all are witnesses", object: loadTest("x", smoke+"  checks: {witnesses: 1.5}\n"), want: []string{"spec.checks.witnesses"}},
		{name: "unknown field", object: loadTest("x", smoke+"  rate: 2\n"), want: []string{"unknown field spec.rate"}},
		{name: "changes before the start", object: loadTest("x", smoke+"  users: 2\n"), old: loadTest("x", smoke)},
		{name: "changes after the start", object: loadTest("x", smoke+"  users: 2\n") + status, old: loadTest("x", smoke) + status, want: []string{"spec", "cannot change once the test has started"}},
		{name: "the same after the start", object: loadTest("x", smoke) + status, old: loadTest("x", smoke) + status},
	})
}
