"""PAM for ComfyUI: pose, appearance and motion of hand-object interaction video. Exports nothing outside the host."""

from importlib.util import find_spec

if find_spec("comfy_api") is not None and __package__:
    from comfy_api.latest import ComfyExtension

    WEB_DIRECTORY = "./web"

    class PAMExtension(ComfyExtension):
        """The pack as the host sees it."""

        async def on_load(self) -> None:
            """Register the model folders once the host starts."""
            from .pam_nodes.host.paths import register_folders

            register_folders()

        async def get_node_list(self) -> list[type]:
            """Every node class of the pack."""
            from .pam_nodes.nodes import all_nodes

            return all_nodes()

    async def comfy_entrypoint() -> PAMExtension:
        """Entry point of the V3 API."""
        return PAMExtension()

    __all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
