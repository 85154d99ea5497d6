"""Prints the scripts of a CI system's file as JSON: for each job a list of steps, each with `run` and `env`.

A file that its parser does not accept is an error.
"""

import json
import pathlib
import sys

from ruamel.yaml import YAML


def github(whole):
    env = whole.get("env", {})
    for name, job in whole["jobs"].items():
        above = {**env, **job.get("env", {})}
        yield name, [step(part["run"], {**above, **part.get("env", {})}) for part in job["steps"] if "run" in part]


def action(whole):
    yield "action", [step(part["run"], part.get("env", {})) for part in whole["runs"]["steps"]]


def gitlab(whole):
    for name, job in whole.items():
        if name.startswith(".") or "script" not in job:
            continue
        above = whole[job["extends"]] if "extends" in job else {}
        env = {**whole.get("variables", {}), **above.get("variables", {}), **job.get("variables", {})}
        lines = job.get("before_script", above.get("before_script", [])) + job["script"]
        yield name, [step("\n".join(lines), env)]


def circle(whole):
    def runs(steps):
        for part in steps:
            if isinstance(part, str):
                yield from runs(whole["commands"].get(part, {}).get("steps", [])) if part != "checkout" else ()
            elif "run" in part:
                yield part["run"]["command"]

    for name, job in whole["jobs"].items():
        yield name, [step(run, job.get("environment", {})) for run in runs(job["steps"])]


def buildkite(whole):
    for part in whole["steps"]:
        command = part["command"]
        if "$" in command.replace("$$", ""):
            raise SystemExit(f"{part['key']}: a single `$` is replaced when the pipeline is uploaded")
        yield part["key"], [step(command.replace("$$", "$"), whole["env"])]


def jenkins(text):
    import tree_sitter
    import tree_sitter_groovy

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_groovy.language()))
    root = parser.parse(text).root_node
    if root.has_error:
        raise SystemExit("it is no Groovy")
    jobs, env = {}, {}

    def literal(node):
        text = node.text.decode()
        for quotes in ("'''", "'"):
            if text.startswith(quotes) and text.endswith(quotes):
                return text[len(quotes) : -len(quotes)]
        return None

    def walk(node, stage):
        if node.type == "assignment_expression":
            left, _, right = node.children
            env[left.text.decode()] = literal(right)
        if node.type in ("method_invocation", "juxt_function_call"):
            name = node.child_by_field_name("name").text.decode()
            arguments = node.child_by_field_name("arguments") or node.child_by_field_name("args")
            first = next((child for child in arguments.children if child.is_named), None) if arguments else None
            if name == "stage":
                stage = literal(first)
                jobs[stage] = []
            if name == "sh":
                script = literal(first)
                if script is None:
                    raise SystemExit(f"Groovy would replace variables in {first.text}")
                jobs[stage].append(step(script, env))
        for child in node.children:
            walk(child, stage)

    walk(root, None)
    yield from jobs.items()


def step(run, env):
    return {"run": run, "env": {name: str(value) for name, value in env.items()}}


def main(kind, path):
    text = pathlib.Path(path).read_bytes()
    if kind == "jenkins":
        jobs = dict(jenkins(text))
    else:
        whole = list(YAML(typ="safe").load_all(text))[-1]
        jobs = dict({"github": github, "action": action, "gitlab": gitlab, "circle": circle, "buildkite": buildkite}[kind](whole))
    json.dump(jobs, sys.stdout)


main(*sys.argv[1:])
