// Opens a workflow in the real frontend in headless Chromium and prints, as JSON, what the page made of it.
// usage: node open_workflow.mjs '{"url", "workflow", "screenshot", "nodes2": false, "run": false, "chromium", "modules"}'
// "run" queues it from the page and takes the screenshot with the results in it.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const job = JSON.parse(process.argv[2]);
const { chromium } = createRequire(path.join(job.modules, "_"))("playwright-core");

// The server keeps the settings: set before the page starts, they leave out the tour and pick the renderer.
const settings = {
  "Comfy.TutorialCompleted": true, "Comfy.Release.Status": "skipped", "Comfy.Workflow.ShowMissingModelsWarning": false,
  "Comfy.Minimap.Visible": false, "Comfy.VueNodes.Enabled": job.nodes2 === true, "Comfy.AppBuilder.VueNodeSwitchDismissed": true,
  "LiteGraph.Canvas.MinFontSizeForLOD": 0, // classic leaves out the text of small nodes
};
await fetch(job.url + "/api/settings", {
  method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(settings),
});

const browser = await chromium.launch({
  executablePath: job.chromium,
  args: ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--disable-quic",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const page = await browser.newPage({ viewport: { width: 1920, height: 1080 } });
  const errors = [];
  page.on("console", (m) => { if (m.type() === "error") errors.push({ text: m.text(), url: m.location().url }); });
  page.on("pageerror", (e) => errors.push({ text: String(e.stack ?? e), url: "" }));
  await page.route((url) => url.hostname !== "127.0.0.1", (route) => route.abort());
  await page.goto(job.url, { waitUntil: "domcontentloaded" });
  await page.waitForFunction(() => window.app?.extensionManager && window.app?.graph, null, { timeout: 120000 });
  await page.waitForFunction(() => !document.querySelector("#loading-screen, .p-blockui-mask"), null, { timeout: 120000 });
  await page.waitForTimeout(1000);

  const workflow = JSON.parse(fs.readFileSync(job.workflow, "utf8"));
  const isPrompt = !workflow.nodes;
  await page.evaluate(async ([data, isPrompt]) => {
    if (!isPrompt) return window.app.loadGraphData(data);
    await window.app.loadApiJson(data, "prompt");
    window.app.graph.arrange();
  }, [workflow, isPrompt]);
  await page.waitForTimeout(1000);
  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.Canvas.FitView"));
  await page.waitForTimeout(1500);
  const outcome = !job.run ? null : await page.evaluate(() => new Promise((resolve) => {
    for (const type of ["execution_success", "execution_error", "execution_interrupted"])
      window.comfyAPI.api.api.addEventListener(type, (event) => resolve({ type, message: event.detail.exception_message }));
    window.app.queuePrompt(0, 1);
  }));
  if (job.run) await page.waitForTimeout(4000);
  if (job.screenshot) await page.screenshot({ path: job.screenshot });

  const found = await page.evaluate(async () => {
    const { output, workflow } = await window.app.graphToPrompt();
    const known = window.LiteGraph.registered_node_types;
    const canvas = window.app.canvas;
    const box = (node) => { // as drawn, title included, in pixels of the graph
      const drawn = document.querySelector(`[data-node-id="${node.id}"]`)?.getBoundingClientRect();
      if (!drawn) return [...node.getBounding()];
      const corner = canvas.convertEventToCanvasOffset({ clientX: drawn.x, clientY: drawn.y });
      return [...corner, drawn.width / canvas.ds.scale, drawn.height / canvas.ds.scale];
    };
    const nodes = window.app.graph.nodes.map((node) => ({ id: node.id, type: node.type, title: node.title, box: box(node) }));
    const groups = window.app.graph.groups.map((group) => ({ title: group.title, box: [...group.pos, ...group.size] }));
    return {
      prompt: output, workflow, nodes, groups, missing: nodes.filter((node) => !(node.type in known)),
      rendered: document.querySelectorAll("[data-node-id]").length, // Nodes 2.0 draws nodes as elements, classic on the canvas
    };
  });
  console.log(JSON.stringify({ ...found, outcome, errors }));
} finally {
  await browser.close();
}
