// Three real agents on the loopback interface, each with a page of its own.

import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile, mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
export const PASSWORD = "correct horse battery";
const READY_WITHIN_MS = 20_000;

/** A port that nobody has at the moment. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve, reject) => server.listen(0, "127.0.0.1", resolve).on("error", reject));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class Office {
  static async open(binary, machines) {
    const office = new Office();
    office.binary = binary;
    office.folder = await mkdtemp(join(tmpdir(), "sk-browser"));
    office.env = { ...process.env, HOME: join(office.folder, "home"), XDG_CONFIG_HOME: "", XDG_RUNTIME_DIR: "", SEATKEEPER_SOCKET: "", DISPLAY: "" };
    await mkdir(office.env.HOME);
    office.passwordFile = join(office.folder, "password");
    await writeFile(office.passwordFile, PASSWORD, { mode: 0o600 });
    office.machines = [];
    office.programs = [];
    for (let number = 1; number <= machines; number += 1) {
      office.machines.push({ name: `pc${number}`, udp: await freePort(), web: await freePort(), socket: join(office.folder, `pc${number}.sock`), agent: null });
    }
    try {
      for (const machine of office.machines) await office.start(machine);
    } catch (error) {
      office.killAll();
      throw error;
    }
    return office;
  }

  page(machine) {
    return `http://127.0.0.1:${machine.web}/`;
  }

  /** Starts the agent of a machine and waits until its page is served. */
  async start(machine) {
    const peers = this.machines.filter((other) => other !== machine).flatMap((other) => ["--peer", `127.0.0.1:${other.udp}`]);
    machine.log = "";
    machine.agent = spawn(this.binary, ["agent", "--state-dir", join(this.folder, machine.name), "--socket", machine.socket,
      "--listen", `127.0.0.1:${machine.udp}`, "--web", `127.0.0.1:${machine.web}`, "--no-mdns", "--name", machine.name, ...peers],
    { env: this.env, stdio: ["ignore", "pipe", "pipe"] });
    const heard = new Promise((resolve, reject) => {
      const listen = (bytes) => {
        machine.log += bytes;
        if (machine.log.includes("the page is served")) resolve();
      };
      machine.agent.stdout.on("data", listen);
      machine.agent.stderr.on("data", listen);
      machine.agent.on("exit", () => reject(new Error(`the agent of ${machine.name} ended:\n${machine.log}`)));
    });
    await within(READY_WITHIN_MS, heard, () => `${machine.name} serves no page:\n${machine.log}`);
  }

  /** Ends an agent as a power cut does. */
  async kill(machine) {
    const ended = new Promise((resolve) => machine.agent.once("exit", resolve));
    machine.agent.kill("SIGKILL");
    await ended;
  }

  async cli(machine, ...args) {
    const { stdout } = await run(this.binary, ["--socket", machine.socket, ...args], { env: this.env, cwd: this.folder });
    return stdout;
  }

  /** The address that opens a page in this user's name. */
  async url(machine) {
    return (await this.cli(machine, "open", "--print")).trim();
  }

  /** Founds the site on the first machine and lets the second one join; answers the path of the admin's key. */
  async found() {
    const [first, second] = this.machines;
    const password = ["--password-file", this.passwordFile];
    const told = await this.cli(first, "site", "create", "Office", "--admin", "anna", ...password);
    this.key = /key is in (\S+\.key)/.exec(told)[1];
    const code = join(this.folder, "code");
    await writeFile(code, await this.cli(first, "site", "invite", "--uses", "1", ...password), { mode: 0o600 });
    await this.cli(second, "site", "join", "--join-file", code);
  }

  /** A vendor's public key and a signed license of `seats` seats, as files. */
  async license(id, product, title, seats) {
    const vendor = join(this.folder, "vendor.key");
    await readFile(vendor).catch(() => this.cli(this.machines[0], "vendor", "keygen", "--name", "example-vendor"));
    const { site } = JSON.parse(await this.cli(this.machines[0], "status", "--json"));
    const draft = join(this.folder, `${id}.txt`);
    const lines = ["# Seatkeeper license v1", `license = "${id}"`, 'vendor = "example-vendor"', 'customer = "Example Office Ltd"', "issued = 2025-12-20",
      `product = "${product}"`, `title = "${title}"`, 'version = "2026"', `seats = ${seats}`, "borrow = { max_days = 30, max_seats = 2 }", `site = "${site.id}"`, ""];
    await writeFile(draft, lines.join("\n"));
    const file = join(this.folder, `${id}.license`);
    await this.cli(this.machines[0], "vendor", "sign", "--key", vendor, "-o", file, draft);
    return { file, vendor: `${vendor}.pub` };
  }

  /** Runs a program that holds a seat; answers when it has it. */
  async program(machine, product) {
    const program = spawn(this.binary, ["--socket", machine.socket, "run", product, "--", "sh", "-c", "echo runs; exec sleep 600"],
      { env: this.env, stdio: ["ignore", "pipe", "inherit"] });
    this.programs.push(program);
    await within(READY_WITHIN_MS, new Promise((resolve, reject) => {
      program.stdout.on("data", resolve);
      program.on("exit", () => reject(new Error(`the program on ${machine.name} got no seat`)));
    }), () => "the program does not start");
    return program;
  }

  /** Leaves no process behind, whatever happens. */
  killAll() {
    for (const process of [...this.programs, ...this.machines.map(({ agent }) => agent)]) process?.kill("SIGKILL");
  }

  async close() {
    for (const program of this.programs) program.kill();
    for (const { agent } of this.machines) {
      if (agent.exitCode !== null || agent.signalCode !== null) continue;
      const ended = new Promise((resolve) => agent.once("exit", resolve));
      agent.kill("SIGTERM");
      await within(10_000, ended, () => "the agent does not stop").catch(() => agent.kill("SIGKILL"));
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Waits for `promise`, but not longer. */
export function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`after ${ms} ms: ${what()}`)), ms); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
