"""The client of Alloy: the folder it is started with, and the interface that says what it made of it."""

from agencystack.components.alloy.client import Alloy, Health, change_file
from agencystack.components.alloy.folder import PRIVATE, Folder

__all__ = ["PRIVATE", "Alloy", "Folder", "Health", "change_file"]
