"""The API of Huawei Cloud's object migration service for synchronisation tasks, over our standing tasks."""
