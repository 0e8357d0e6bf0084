"""Nodes: objects of the scene."""

from __future__ import annotations

from comfy_api.latest import io

from ..host import paths
from . import sockets

NO_FILE = "none"
KINDS = ["mug", "bottle", "can", "box", "hammer", "bowl", "ball"]
LINKED_MESHES = [io.File3DAny, io.File3DGLB, io.File3DOBJ, io.File3DSTL, io.File3DPLY, io.Mesh, sockets.Trimesh]


class PAMLoadObjectMesh(io.ComfyNode):
    """A mesh of the person, checked and brought to metres."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMLoadObjectMesh",
            display_name="Load Object Mesh (PAM)",
            category=sockets.POSE,
            description="Loads a mesh from input/3d or from a link as an object that a hand can hold, in metres and Z up.",
            search_aliases=["object", "mesh", "obj", "ply", "stl", "glb", "off", "3d model"],
            inputs=[
                io.Combo.Input(
                    "mesh_file",
                    options=[NO_FILE, *paths.mesh_files()],
                    default=NO_FILE,
                    tooltip="A .obj, .ply, .stl, .glb or .off file in input/3d. Not used when a mesh is connected.",
                ),
                io.Combo.Input("units", options=["m", "cm", "mm", "inch"], default="m", tooltip="Unit of the numbers in the file."),
                io.Float.Input("scale", default=1.0, min=1e-4, max=1e4, step=0.01, round=False, tooltip="Extra size factor."),
                io.Combo.Input(
                    "up_axis",
                    options=["auto", "z", "y"],
                    default="auto",
                    tooltip="Which axis of the file points up. 'auto': y for .glb and for core meshes, z for the rest.",
                ),
                io.Boolean.Input(
                    "recenter",
                    default=True,
                    tooltip="Move the mesh so that it stands on its origin. Turn off to keep the file's origin, "
                    "for example with recorded object poses.",
                ),
                io.String.Input("name", default="", tooltip="What it is, for people and prompts ('mug'). Empty: the file's name."),
                io.Int.Input(
                    "label",
                    default=14,
                    min=1,
                    max=21,
                    advanced=True,
                    tooltip="YCB object id, picks the colour of the segmentation picture: 2 box, 4 can, 5 bottle, 13 bowl, 14 mug, 15 tool",
                ),
                io.MultiType.Input(
                    "mesh", LINKED_MESHES, optional=True, tooltip="A 3D file, mesh or trimesh of another node, used instead of the file."
                ),
            ],
            outputs=[
                sockets.HoiObject.Output("object", tooltip="The object, standing on the table at the origin."),
                io.String.Output("info", tooltip="Name, size in centimetres and number of faces."),
            ],
        )

    @classmethod
    def validate_inputs(cls, mesh_file: str) -> bool | str:
        try:
            if mesh_file not in (None, NO_FILE):
                paths.mesh_path(mesh_file)
        except (FileNotFoundError, ValueError) as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, mesh_file: str, **_kwargs) -> str:
        return NO_FILE if mesh_file in (None, NO_FILE) else paths.file_digest(paths.mesh_path(mesh_file))

    @classmethod
    def execute(
        cls, mesh_file: str, units: str, scale: float, up_axis: str, recenter: bool, name: str, label: int, mesh=None
    ) -> io.NodeOutput:
        from ..geometry.mesh_io import MeshOptions, describe, load_mesh
        from ..host.meshes import object_from_link

        options = MeshOptions(units, scale, up_axis, recenter)
        if mesh is not None:
            loaded = object_from_link(mesh, options, name.strip() or "object", label)
        elif mesh_file == NO_FILE:
            raise ValueError("Expected a mesh, found none: choose a file of input/3d or connect a mesh.")
        else:
            loaded = load_mesh(paths.mesh_path(mesh_file), options, name=name.strip(), label=label)
        return io.NodeOutput(loaded, describe(loaded))


class PAMDemoObject(io.ComfyNode):
    """A procedural object, nothing to download."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMDemoObject",
            display_name="Make Demo Object (PAM)",
            category=sockets.POSE,
            description="Makes one of seven everyday objects, in its natural size, standing on the table.",
            search_aliases=["mug", "bottle", "can", "box", "hammer", "bowl", "ball", "object"],
            inputs=[
                io.Combo.Input("kind", options=KINDS, default="mug", tooltip="Which object."),
                io.Float.Input("size", default=1.0, min=0.25, max=4.0, step=0.01, tooltip="Size factor; 1 is natural, a mug 9.5 cm high."),
                io.Boolean.Input("natural_color", default=True, tooltip="On: the object's own colour. Off: the colour below."),
                io.Color.Input("color", default="#b83a2e", advanced=True, tooltip="Colour in previews, when natural colour is off."),
            ],
            outputs=[sockets.HoiObject.Output("object", tooltip="The object, standing on the table at the origin.")],
        )

    @classmethod
    def execute(cls, kind: str, size: float, natural_color: bool, color: str) -> io.NodeOutput:
        from ..geometry.primitives import demo_object, parse_color

        return io.NodeOutput(demo_object(kind, size, None if natural_color else parse_color(color)))


class PAMPlaceObject(io.ComfyNode):
    """Where the object starts."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        place = "of the object's origin, metres. World: X right, Y away, Z up, table top at z = 0."
        turn = "Degrees. Turns about the fixed world X, then Y, then Z axis."
        return io.Schema(
            node_id="PAMPlaceObject",
            display_name="Place Object (PAM)",
            category=sockets.POSE,
            description="Sets the start pose of an object.",
            search_aliases=["object pose", "move object", "rotate object", "o_0"],
            inputs=[
                sockets.HoiObject.Input("object", tooltip="From Load Object Mesh or Make Demo Object."),
                *(
                    io.Float.Input(axis, default=0.0, min=-5.0, max=5.0, step=0.005, round=False, tooltip=f"{axis.upper()} {place}")
                    for axis in "xyz"
                ),
                *(
                    io.Float.Input(
                        f"rotation_{axis}", default=0.0, min=-360.0, max=360.0, step=1.0, round=False, tooltip=f"{axis.upper()}: {turn}"
                    )
                    for axis in "xyz"
                ),
                io.Boolean.Input("on_table", default=True, tooltip="Rest the lowest point on the table; z is then not used."),
                io.Boolean.Input(
                    "settle",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip="Let the object fall the rest of the way in physics, and take the pose it comes to rest in.",
                ),
            ],
            outputs=[sockets.HoiObject.Output("object", display_name="object", tooltip="The same object with its start pose.")],
        )

    @classmethod
    def execute(
        cls,
        object,
        x: float,
        y: float,
        z: float,
        rotation_x: float,
        rotation_y: float,
        rotation_z: float,
        on_table: bool,
        settle: bool = False,
    ) -> io.NodeOutput:
        from ..geometry.placement import place_object
        from ..grasp.settle import settle as settled

        placed = place_object(object, (x, y, z), (rotation_x, rotation_y, rotation_z), on_table)
        return io.NodeOutput(settled(placed) if settle else placed)


NODES = [PAMLoadObjectMesh, PAMDemoObject, PAMPlaceObject]
